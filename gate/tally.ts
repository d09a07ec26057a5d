import type { BullMQEventAdapter } from '@motiadev/adapter-bullmq-events'
import type { NextFunction, Request, Response } from 'express'
import type { Bell } from './bell.ts'

type Redis = BullMQEventAdapter['connection']

const COUNTERS = 'komm:counters'
const EVERY_MS = 5000

/**
 * Counts webhooks for the metrics (services/tally.py has the names' form). Kept here and added to Redis' counters every few
 * seconds: a flood of refused requests must not become one of questions to Redis. What a killed process had not added is lost.
 */
export class GateTally {
  private counts = new Map<string, number>()

  constructor(private readonly redis: Redis) {
    setInterval(() => void this.flush(), EVERY_MS).unref()
  }

  /** Counts each webhook's answer, whoever gives it. */
  readonly answers = (req: Request, res: Response, next: NextFunction): void => {
    const source = req.path.split('/')[1] ?? ''
    const quelle = source === 'espocrm' || source === 'advoware' ? source : 'unknown'
    res.once('finish', () => this.add(`webhooks:${quelle}:${res.statusCode}`, 1))
    next()
  }

  /** `bell`, with the ids it has noted counted. */
  counted(bell: Bell): Bell {
    return async (keys, options) => {
      const needsEvent = await bell(keys, options)
      const betnrs = keys.filter((key) => key.startsWith('betnr:')).length
      this.add('webhook_ids:advoware', betnrs)
      this.add('webhook_ids:espocrm', keys.length - betnrs)
      return needsEvent
    }
  }

  private add(name: string, count: number): void {
    if (count) this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  private async flush(): Promise<void> {
    if (this.counts.size === 0 || this.redis.status !== 'ready') return
    const counts = this.counts
    this.counts = new Map()
    const adding = this.redis.multi()
    for (const [name, count] of counts) adding.hincrby(COUNTERS, name, count)
    try {
      await adding.exec()
    } catch {
      for (const [name, count] of counts) this.add(name, count)
    }
  }
}
