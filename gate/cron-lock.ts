import { RedisCronAdapter } from '@motiadev/adapter-redis-cron'
import type { CronLock } from '@motiadev/core'
import type { RedisAddress } from './settings.ts'

const LOCK_MS = 20_000
const RENEW_MS = 5_000

/**
 * Motia's cron lock, kept alive by its holder.
 *
 * The story: Motia takes a lock for five minutes and ends on SIGTERM without giving it back. Started again, its cron steps
 * would do nothing for the rest of these minutes; and a run longer than five minutes would get company. So the lock is
 * short, and renewed as long as the process that holds it lives.
 */
export class LivingCronLock extends RedisCronAdapter {
  private readonly timers = new Map<string, NodeJS.Timeout>()

  constructor(redis: RedisAddress) {
    const { host, port, username, password, db } = redis
    super({ socket: { host, port }, username, password, database: db }, { keyPrefix: 'motia:cron:lock:' })
  }

  override async acquireLock(jobName: string): Promise<CronLock | null> {
    const lock = await super.acquireLock(jobName, LOCK_MS)
    if (lock) {
      const timer = setInterval(() => void this.renewLock(lock, LOCK_MS), RENEW_MS)
      this.timers.set(lock.lockId, timer.unref())
    }
    return lock
  }

  override async releaseLock(lock: CronLock): Promise<void> {
    clearInterval(this.timers.get(lock.lockId))
    this.timers.delete(lock.lockId)
    await super.releaseLock(lock)
  }
}
