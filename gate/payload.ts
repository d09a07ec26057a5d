/** What a body rings the bell for: ids (and names of attributes), never a client's value. */

export interface Rung {
  ids: string[]
  /** Names of the attributes that EspoCRM says have changed. */
  attributes: string[]
  /** Items without a usable id. */
  dropped: number
}

/** Above this an event would not fit a step's process argument; EspoCRM sends at most 50 items a request. */
export const MAX_IDS = 1000

const ESPO_ID = /^[A-Za-z0-9_-]{1,36}$/
/** Ten digits, as in services/flow_events.py. */
const MAX_BETNR = 9_999_999_999
const ATTRIBUTE = /^[A-Za-z][A-Za-z0-9]{0,99}$/

/** The items of a signed delivery: unusable ones are counted and left out, so that they can't lose the others. */
export function readEspo(body: Buffer): Rung {
  const ids = new Set<string>()
  const attributes = new Set<string>()
  let dropped = 0
  for (const item of items(body)) {
    const record = isObject(item) ? item : {}
    if (typeof record.id !== 'string' || !ESPO_ID.test(record.id)) {
      dropped += 1
      continue
    }
    ids.add(record.id)
    for (const name of Object.keys(record)) if (name !== 'id' && ATTRIBUTE.test(name)) attributes.add(name)
  }
  return { ids: [...ids], attributes: [...attributes].sort().slice(0, 100), dropped }
}

/** A malformed body counts as one unusable item. */
function items(body: Buffer): unknown[] {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'))
    return Array.isArray(parsed) ? parsed : [parsed]
  } catch {
    return [null]
  }
}

/** The betNrs of `{"ids": [1]}`, `[{"betNr": 1}]`, `{"betnr": 1}` or `[1]`; undefined when anything else is in it. */
export function readAdvoware(body: Buffer): string[] | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
  const list = Array.isArray(parsed) ? parsed : isObject(parsed) && Array.isArray(parsed.ids) ? parsed.ids : [parsed]
  const numbers = list.map(betNr)
  return numbers.every((number) => number !== undefined) ? [...new Set(numbers.map(String))] : undefined
}

function betNr(item: unknown): number | undefined {
  const value = isObject(item) ? (item.betNr ?? item.betnr) : item
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= MAX_BETNR ? value : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
