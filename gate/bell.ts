import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BullMQEventAdapter } from '@motiadev/adapter-bullmq-events'

type Redis = BullMQEventAdapter['connection']

/** An event has this long before `reconcile` sends out another one for the same record (services/flow_events.py). */
const GRACE_SECONDS = 90
/** Ids an event takes, and how long one may wait before another is sent in its place (services/state_redis_rest.py). */
const EVENT_IDS = 100
const CALLED_MS = 10_000
const ANSWER_MS = 5000
const RING_KEYS = named('due', 'due:tokens', 'due:parked', 'due:rings')
const CALL_KEYS = named('due:tokens', 'due:crowd', 'due:called')

function named(...names: string[]): string[] {
  return names.map((name) => `komm:${name}`)
}

/**
 * Notes keys as due in Redis; fails where Redis does not say in time that it has them. Gives whether an event has to be sent
 * for them: not where `together` is set and one that is waiting will take them along.
 */
export type Bell = (keys: string[], options: { together: boolean }) => Promise<boolean>

/**
 * Rings here and not in the step: what was reported is safe before a process is started for it, and that process needs
 * neither a connection to Redis nor the program for it, which takes longer to load than the step itself.
 */
export function bell(redis: Redis): Bell {
  const [ring, call] = ['ring.lua', 'call.lua'].map((name) => readFileSync(join(process.cwd(), 'services', name), 'utf8'))
  return async (keys, { together }) => {
    const at = (Date.now() / 1000 + GRACE_SECONDS).toFixed(6)
    let timer: NodeJS.Timeout | undefined
    // The connection keeps a command until Redis is back; the caller is told to come again long before.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Redis did not answer in time.')), ANSWER_MS)
    })
    const both = redis.multi().eval(String(ring), RING_KEYS.length, ...RING_KEYS, at, ...keys)
    if (together) both.eval(String(call), CALL_KEYS.length, ...CALL_KEYS, EVENT_IDS, CALLED_MS, ...keys)
    try {
      const answers = (await Promise.race([both.exec(), late])) ?? []
      for (const [error] of answers) if (error) throw error
      if (answers.length === 0) throw new Error('Redis did not take it.')
      return !together || answers[1]?.[1] === 1
    } finally {
      clearTimeout(timer)
    }
  }
}
