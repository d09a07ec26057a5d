import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BullMQEventAdapter } from '@motiadev/adapter-bullmq-events'

type Redis = BullMQEventAdapter['connection']

/** An event has this long before `reconcile` sends out another one for the same record (services/flow_events.py). */
const GRACE_SECONDS = 90
const ANSWER_MS = 5000
const KEYS = ['due', 'due:tokens', 'due:parked', 'due:rings'].map((name) => `komm:${name}`)

/** Notes keys as due in Redis; fails where Redis does not say in time that it has them. */
export type Bell = (keys: string[]) => Promise<void>

/**
 * Rings here and not in the step: what was reported is safe before a process is started for it, and that process needs
 * neither a connection to Redis nor the program for it, which takes longer to load than the step itself.
 */
export function bell(redis: Redis): Bell {
  const script = readFileSync(join(process.cwd(), 'services', 'ring.lua'), 'utf8')
  return async (keys) => {
    const at = (Date.now() / 1000 + GRACE_SECONDS).toFixed(6)
    let timer: NodeJS.Timeout | undefined
    // The connection keeps a command until Redis is back; the caller is told to come again long before.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Redis did not answer in time.')), ANSWER_MS)
    })
    try {
      await Promise.race([redis.eval(script, KEYS.length, ...KEYS, at, ...keys), late])
    } finally {
      clearTimeout(timer)
    }
  }
}
