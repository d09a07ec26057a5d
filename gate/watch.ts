/**
 * What watches the sync asks here: a load balancer `GET /health`, Prometheus `GET /metrics`. Both stand before the gate, and
 * pass Motia by: an API step would leave a trace of each question, and Motia keeps traces for three days.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { BullMQEventAdapter } from '@motiadev/adapter-bullmq-events'
import type { Express, Request, Response } from 'express'
import type { Settings } from './settings.ts'
import { hasBearer } from './signature.ts'

type Redis = BullMQEventAdapter['connection']

const ANSWER_MS = 1000
const KEEP_MS = 1000
const METRICS_MS = 15_000
const PYTHON = join('python_modules', 'bin', 'python')

interface Health {
  /** Redis answers. */
  redis: boolean
  /** `reconcile` has run lately. */
  tick: boolean
}

export function installWatch(app: Express, settings: Settings, redis: Redis): void {
  const health = shared(() => look(redis, settings.healthSeconds), KEEP_MS)
  app.get('/health', (_req: Request, res: Response) => {
    res.setHeader('Cache-Control', 'no-store')
    void health().then((seen) => res.status(seen.redis && seen.tick ? 200 : 503).json(seen))
  })
  const metrics = shared(exposition, 0)
  app.get('/metrics', (req: Request, res: Response) => {
    if (!hasBearer(req.headers, settings.metricsToken)) {
      res.status(401).json({ error: 'A valid bearer token is needed.' })
      return
    }
    metrics().then(
      (text) => res.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      () => res.status(503).json({ error: 'The figures could not be read from Redis.' }),
    )
  })
}

/** `ask`, but one question at a time, whose answer serves all who ask meanwhile and for `keepMs` after it. */
function shared<T>(ask: () => Promise<T>, keepMs: number): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => {
    asked ??= ask().finally(() => {
      if (keepMs) setTimeout(() => (asked = undefined), keepMs).unref()
      else asked = undefined
    })
    return asked
  }
}

async function look(redis: Redis, seconds: number): Promise<Health> {
  const nothing: Health = { redis: false, tick: false }
  // While it is away, the client would keep the question until Redis is back.
  if (redis.status !== 'ready') return nothing
  const late = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), ANSWER_MS)
  })
  const ticked = await Promise.race([redis.hget('komm:marks', 'ticked').catch(() => undefined), late])
  if (ticked === undefined) return nothing
  return { redis: true, tick: Date.now() / 1000 - Number(ticked ?? 0) < seconds }
}

/** A process a scrape (about 0.3 s), so that the official client's exposition is what Prometheus gets. */
function exposition(): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(PYTHON, ['-m', 'services.metrics'], { timeout: METRICS_MS, maxBuffer: 1024 * 1024 }, (error, stdout) => {
      if (error) reject(new Error('The metrics could not be made.'))
      else resolve(stdout)
    })
  })
}
