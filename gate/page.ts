import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import type { NextFunction, Request, Response } from 'express'

/** Everything of the control page is below this. */
export const PAGE_PATH = '/kommunikation'
/** A record that is synchronised by hand may wait for two slow systems; the live stream says something every 10 seconds. */
const ANSWER_MS = 120_000
/** Of this connection only (RFC 9110, 7.6.1), or not the page's business. */
const OF_THIS_HOP = 'connection keep-alive proxy-authorization te trailer transfer-encoding upgrade expect'
const NOT_PASSED = new Set([...OF_THIS_HOP.split(' '), 'authorization', 'x-komm-peer'])

/**
 * Hands what is below `/kommunikation` to the control page's own process, past Motia: a step would get the request as a process
 * argument, and Motia would keep it in its trace (docs/decisions/020). The page itself knows who may see it.
 */
export function controlPage(port: number, configured: boolean) {
  return (req: Request, res: Response, next: NextFunction): void => {
    if (!configured) return unavailable(res, 'Die Kontrollseite ist nicht eingerichtet: KOMM_PAGE_TOKEN ist nicht gesetzt.')
    // Motia's answer to every origin; none of it fits a page with a login.
    for (const name of res.getHeaderNames()) if (name.startsWith('access-control-')) res.removeHeader(name)
    const { method, originalUrl: path } = req
    // A connection of its own: one kept for later may be closed by the page just when it is used again.
    const where = { host: '127.0.0.1', port, agent: false, timeout: ANSWER_MS } as const
    const onward = request({ ...where, method, path, headers: passed(req) }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, kept(answer))
      res.flushHeaders()
      answer.on('error', () => res.destroy())
      answer.pipe(res)
    })
    onward.on('timeout', () => onward.destroy())
    onward.on('error', () => {
      if (res.headersSent) res.destroy()
      else unavailable(res, 'Die Kontrollseite läuft gerade nicht. Bitte in einer Minute noch einmal.')
    })
    res.on('close', () => onward.destroy())
    req.on('error', next)
    req.pipe(onward)
  }
}

function passed(req: Request): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(req.headers)) if (!NOT_PASSED.has(name)) headers[name] = value
  // With a length, or in pieces as it came.
  if (req.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked'
  headers['x-komm-peer'] = peer(req)
  return headers
}

function kept(answer: IncomingMessage): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(answer.headers)) if (!NOT_PASSED.has(name)) headers[name] = value
  return headers
}

/** Who asks: the other end of the connection, or, where that is a proxy on this machine, the one it says it speaks for. */
function peer(req: Request): string {
  const address = req.socket.remoteAddress ?? ''
  if (!/^(::ffff:)?127\.|^::1$/.test(address)) return address
  const named = String(req.headers['x-forwarded-for'] ?? '').split(',').at(-1)?.trim()
  return named || address
}

function unavailable(res: Response, text: string): void {
  res.status(503).set({ 'Retry-After': '30', 'Cache-Control': 'no-store' }).type('text/plain; charset=utf-8').send(`${text}\n`)
}
