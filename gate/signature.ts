/** EspoCRM's webhook signatures and the comparison of secrets. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

type Headers = Record<string, string | string[] | undefined>

/**
 * The id of the webhook that signed `body`, or undefined when nobody we know did.
 *
 * `Signature` (since 9.0) is base64(id ":" hex HMAC-SHA256), the older `X-Signature` base64(id ":" the 32 raw bytes).
 * Where both are sent the newer one decides, so a forged header can't be made good by a replayed old one.
 */
export function signedBy(headers: Headers, body: Buffer, secrets: ReadonlyMap<string, string>): string | undefined {
  const newer = headers.signature
  const header = newer ?? headers['x-signature']
  if (typeof header !== 'string') return undefined
  const decoded = Buffer.from(header, 'base64')
  const colon = decoded.indexOf(':')
  if (colon < 1) return undefined
  const id = decoded.subarray(0, colon).toString('latin1')
  const secret = secrets.get(id)
  if (secret === undefined) return undefined
  const expected = createHmac('sha256', secret).update(body).digest()
  const sent = decoded.subarray(colon + 1)
  return sameBytes(sent, newer === undefined ? expected : Buffer.from(expected.toString('hex'))) ? id : undefined
}

/** The token of `Authorization: Bearer ...` is `token`. An empty `token` matches nothing. */
export function hasBearer(headers: Headers, token: string): boolean {
  const match = /^Bearer +(\S+) *$/i.exec(String(headers.authorization ?? ''))
  if (!match?.[1] || token === '') return false
  // Digests are of one length, so the time taken tells nothing about the token's.
  return timingSafeEqual(sha256(match[1]), sha256(token))
}

function sameBytes(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
