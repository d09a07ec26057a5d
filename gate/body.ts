import type { IncomingMessage } from 'node:http'

const READ_SECONDS = 10
/** So much more than the limit is read and thrown away, so that the sender gets to read the answer. */
const PATIENCE = 4

/**
 * Reads a body of at most `limit` bytes and calls `done` once: with 0 and the body, or with the HTTP status of what kept it
 * from being read. A compressed one is never unpacked: a few bytes of it may stand for gigabytes.
 */
export function readBody(req: IncomingMessage, limit: number, done: (problem: number, body: Buffer) => void): void {
  const parts: Buffer[] = []
  let size = 0
  let over = false
  const end = (problem: number) => {
    if (over) return
    over = true
    clearTimeout(tooSlow)
    done(problem, problem ? Buffer.alloc(0) : Buffer.concat(parts))
    parts.length = 0
  }
  const tooSlow = setTimeout(() => end(408), READ_SECONDS * 1000)
  if (!['', 'identity'].includes(String(req.headers['content-encoding'] ?? ''))) return end(415)
  if (Number(req.headers['content-length'] ?? 0) > PATIENCE * limit) return end(413)
  req.on('data', (part: Buffer) => {
    size += part.length
    if (size <= limit) parts.push(part)
    else parts.length = 0
    if (size > PATIENCE * limit) end(413)
  })
  req.on('end', () => end(size > limit ? 413 : 0))
  req.on('error', () => end(400))
  req.on('close', () => end(400))
}
