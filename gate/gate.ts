/**
 * The door of the project: everything that comes in by HTTP passes here before Motia sees it.
 *
 * Motia hands an API step its whole request as a process argument: visible in `ps`, and from 128 KiB on the call dies.
 * So a webhook's body is read, checked and reduced to ids here, and a credential never goes on.
 * Motia itself knows no authentication of API steps: all of it is here (docs: design of the flow).
 */
import { randomBytes } from 'node:crypto'
import { type Express, type NextFunction, type Request, type Response, Router } from 'express'
import type { Bell } from './bell.ts'
import { readBody } from './body.ts'
import { controlPage, PAGE_PATH } from './page.ts'
import { MAX_IDS, readAdvoware, readEspo } from './payload.ts'
import type { Settings } from './settings.ts'
import { hasBearer, signedBy } from './signature.ts'

/** What Motia's plugins register for their pages. */
const MOTIA_PATHS = /^\/(__motia|motia)(\/|$)/
/**
 * The Workbench saves what it shows. Where the steps reach its page before their places do, it makes a layout of its own and
 * saves that over the committed one, so it may not save.
 */
const SAVES_LAYOUT = /^\/__motia\/flows\/[^/]+\/config\/?$/i

/**
 * The Workbench shows logs and states, and its page would load fonts and a tracker from third parties: it may talk to this
 * machine only. Its code editor alone comes from a public address; without it all else works.
 */
const OWN_PAGE_POLICY = [
  "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: https://cdn.jsdelivr.net",
  "connect-src 'self' ws://localhost:* ws://127.0.0.1:*",
  "img-src 'self' data: blob:",
  "frame-ancestors 'none'",
].join('; ')

/** What a step gets of a request. */
interface Passed {
  ids: string[]
  [name: string]: unknown
}

interface Layer {
  name: string
  handle: { stack?: { route?: unknown; match: (path: string) => boolean }[] }
}

/** Says that the gate let a request in; the step refuses everything else. New for every process, inherited by its steps. */
const STEP_KEY = (process.env.KOMM_GATE_KEY ??= randomBytes(24).toString('hex'))

/** Puts the gate before everything else of `app`. `redisReady`: false while no event could be queued. `ring`: notes as due. */
export function installGate(app: Express, settings: Settings, redisReady: () => boolean, ring: Bell): void {
  app.disable('x-powered-by')
  app.use(lastWord(app))
  app.use(PAGE_PATH, controlPage(settings.pagePort, settings.page))
  app.use('/webhooks', webhooks(settings, redisReady, ring))
  app.use((req: Request, res: Response, next: NextFunction) => {
    if (res.locals.passed) next()
    else if (settings.workbench && !isStepEndpoint(app, req.path)) {
      res.setHeader('Content-Security-Policy', OWN_PAGE_POLICY)
      if (isOwnPage(req.headers) && !SAVES_LAYOUT.test(req.path)) next()
      else if (isOwnPage(req.headers)) refuse(res, 403, 'The layout is the one in motia-workbench.json.')
      else refuse(res, 403, 'The Workbench answers only to pages of this machine.')
    } else if (hasBearer(req.headers, settings.apiToken)) {
      delete req.headers.authorization
      next()
    } else refuse(res, 401, 'A valid bearer token is needed.')
  })
}

function webhooks(settings: Settings, redisReady: () => boolean, ring: Bell): Router {
  const router = Router()
  // A map: of an object, `__proto__` and `constructor` would be sources as well.
  const sources = new Map(Object.entries({ espocrm: fromEspo, advoware: fromAdvoware }))
  router.all('/:quelle/beteiligte', (req: Request, res: Response, next: NextFunction) => {
    const receive = sources.get(String(req.params.quelle))
    if (!receive) return refuse(res, 404, 'No such webhook.')
    if (req.method !== 'POST') return refuse(res.setHeader('Allow', 'POST'), 405, 'Only POST is taken here.')
    if (receive === fromAdvoware && !hasBearer(req.headers, settings.apiToken)) {
      return refuse(res, 401, 'A valid bearer token is needed.')
    }
    return readBody(req, settings.maxBytes, (problem, body) => {
      if (res.headersSent || res.destroyed) return
      // The rest of a body that is not read any more must not be taken for the next request.
      if (problem) res.setHeader('Connection', 'close')
      req.body = body
      try {
        receive(req, res, next, settings, problem || (redisReady() ? 0 : 503), ring)
      } catch (error) {
        next(error) // here we are called by the stream: what is thrown would end the process
      }
    })
  })
  router.use((_req: Request, res: Response) => refuse(res, 404, 'No such webhook.'))
  return router
}

/**
 * EspoCRM's delivery. It comes again only after 401, 403, 404, 405, 408, 500, 503 or a lost connection; 400, 409, 413, 422,
 * 429, 502 and 504 lose the event for good and 410 deletes the webhook: so whatever is wrong here is a 401 or a 503.
 */
function fromEspo(req: Request, res: Response, next: NextFunction, settings: Settings, problem: number, ring: Bell): void {
  if (problem) {
    log('warn', 'An EspoCRM webhook could not be taken now; it comes again.', { cause: problem })
    return refuse(res, 503, 'Not now, please come again.')
  }
  const body: Buffer = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0)
  const webhookId = signedBy(req.headers, body, settings.webhookSecrets)
  if (webhookId === undefined) {
    log('warn', 'A webhook without a valid signature was refused.', { bytes: body.length })
    return refuse(res, 401, 'The signature is missing or wrong.')
  }
  const { ids, attributes, dropped } = readEspo(body)
  if (dropped) log('warn', 'Items of an EspoCRM webhook had no usable id.', { webhookId, dropped })
  if (ids.length > MAX_IDS) return refuse(res, 503, 'Too many items for one request.')
  if (ids.length === 0) return void res.status(200).json({ status: 'received', ids: 0 })
  passRung(req, res, next, { ids, attributes, webhookId }, ring(ids, { together: true }))
}

/** A script or trigger at the firm that tells which Beteiligte have changed in Advoware. */
function fromAdvoware(req: Request, res: Response, next: NextFunction, _: Settings, problem: number, ring: Bell): void {
  if (problem === 413) return refuse(res, 413, 'The body is too large.')
  if (problem) return refuse(res, problem, problem === 503 ? 'Not now, please come again.' : 'The body could not be read.')
  const ids = readAdvoware(Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0))
  if (ids === undefined) return refuse(res, 400, 'The body must be {"ids": [betNr, ...]} with positive whole numbers.')
  if (ids.length > MAX_IDS) return refuse(res, 413, `At most ${MAX_IDS} ids a request.`)
  if (ids.length === 0) return void res.status(200).json({ status: 'received', ids: 0 })
  passRung(req, res, next, { ids }, ring(ids.map((betNr) => `betnr:${betNr}`), { together: false }))
}

/**
 * What fails behind the gate is answered and logged in here, without a word of the request: Express would answer with the
 * stack, and log a text that quotes the path or the body. Express asks the handler registered last, so it is registered with
 * the first request, when Motia and its plugins have registered theirs.
 */
function lastWord(app: Express) {
  let registered = false
  return (_req: Request, _res: Response, next: NextFunction) => {
    if (!registered) {
      registered = true
      app.use((error: unknown, _failed: Request, res: Response, _next: NextFunction) => {
        const status = statusOf(error)
        log('warn', 'A request failed.', { status, kind: error instanceof Error ? error.name : typeof error })
        if (res.headersSent) res.destroy()
        else refuse(res, status, status < 500 ? 'The request could not be read.' : 'The request failed.')
      })
    }
    next()
  }
}

function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}

/**
 * Hands the request on when Redis has what it reports; else whoever sent it comes again. Where an event that is waiting takes
 * it along, no step has to be started.
 */
function passRung(req: Request, res: Response, next: NextFunction, body: Passed, rung: Promise<boolean>): void {
  rung
    .then(
      (needsEvent) => {
        if (needsEvent) return pass(req, res, next, body)
        log('info', 'An event that is waiting takes this webhook along.', { ids: body.ids.length })
        res.status(200).json({ status: 'received', ids: body.ids.length })
      },
      () => {
        log('warn', 'A webhook could not be noted in Redis; it has to come again.', {})
        refuse(res, 503, 'Not now, please come again.')
      },
    )
    .catch(next)
}

/** Hands the request on with nothing of the client in it but `body`: no header, no query, no raw body. */
function pass(req: Request, res: Response, next: NextFunction, body: Passed): void {
  res.locals.passed = true
  req.body = body
  req.headers = { 'x-komm-gate': STEP_KEY }
  req.query = {}
  req.url = req.url.split('?', 1)[0] ?? req.url
  next('router')
}

/**
 * A step has registered `path`, also one that will be added some day. Motia keeps these routes in routers of the app, beside
 * those of its plugins' pages; Express 4 (pinned) has no public way to ask for them.
 */
function isStepEndpoint(app: Express, path: string): boolean {
  const routers = (app._router.stack as Layer[]).filter((layer) => layer.name === 'router' && layer.handle.stack)
  return !MOTIA_PATHS.test(path) && routers.some(({ handle }) => handle.stack?.some((at) => at.route && at.match(path)))
}

/** Motia answers every origin (CORS *): a page of another site, or one that rebinds its name to 127.0.0.1, stays out. */
export function isOwnPage(headers: Record<string, string | string[] | undefined>): boolean {
  const host = String(headers.host ?? '')
  if (!/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host)) return false
  return headers.origin === undefined || headers.origin === `http://${host}`
}

function refuse(res: Response, status: number, error: string): void {
  res.status(status).json({ error })
}

function log(level: 'info' | 'warn', msg: string, facts: Record<string, unknown>): void {
  console.log(JSON.stringify({ level, msg, gate: true, ...facts }))
}
