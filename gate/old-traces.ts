import type { BullMQEventAdapter } from '@motiadev/adapter-bullmq-events'

type Redis = BullMQEventAdapter['connection']

const INDEX = 'motia:trace:default'
const KEEP_MS = 3 * 24 * 3600 * 1000
const EVERY_MS = 3600 * 1000

/**
 * Forgets traces that Motia has forgotten.
 *
 * Motia lets a trace expire after three days, but the index of all traces is one hash whose own expiry every new trace puts
 * off: with a cron step a minute it would grow for ever, and the Workbench reads it as a whole.
 */
export function forgetOldTraces(redis: Redis): void {
  const sweep = () => void removeOlderThan(redis, Date.now() - KEEP_MS).catch(() => undefined) // the next hour tries again
  setInterval(sweep, EVERY_MS).unref()
  redis.once('ready', sweep)
}

export async function removeOlderThan(redis: Redis, limit: number): Promise<number> {
  let cursor = '0'
  let removed = 0
  do {
    const [next, fields] = await redis.hscan(INDEX, cursor, 'COUNT', 500)
    const old = fields.filter((_, at) => at % 2 === 0 && startOf(fields[at + 1]) < limit)
    if (old.length) removed += await redis.hdel(INDEX, ...old)
    cursor = next
  } while (cursor !== '0')
  return removed
}

function startOf(text: string | undefined): number {
  try {
    return Number((JSON.parse(text ?? '') as { startTime?: unknown }).startTime) || 0
  } catch {
    return 0
  }
}
