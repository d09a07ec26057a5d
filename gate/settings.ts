/** What the gate and Motia's configuration take from the environment. A sentence of an error names the variable, never its value. */

export interface RedisAddress {
  host: string
  port: number
  username?: string
  password?: string
  db: number
}

export interface Settings {
  /** webhook id -> secret key, from ESPOCRM_WEBHOOK_SECRETS (`id:secret`, comma separated). */
  webhookSecrets: ReadonlyMap<string, string>
  /** KOMM_API_TOKEN; '' lets nobody in. */
  apiToken: string
  /** KOMM_METRICS_TOKEN, else KOMM_API_TOKEN: for GET /metrics. */
  metricsToken: string
  /** KOMM_HEALTH_SECONDS: with a last run of reconcile older than this GET /health says 503. */
  healthSeconds: number
  /** KOMM_WEBHOOK_MAX_BYTES: the largest webhook body that is read, in bytes. */
  maxBytes: number
  /** KOMM_STEP_CONCURRENCY: step processes at a time and step (each is a Python process of its own). */
  concurrency: number
  /** KOMM_FORK_SERVER; 0 leaves out what the steps' work is forked from (gate/fork-server.ts). */
  forkServer: boolean
  /** The Workbench has no login: MOTIA_DOCKER_DISABLE_WORKBENCH=1 leaves it out (production). */
  workbench: boolean
  /** KOMM_PAGE_TOKEN is set: there is a control page, on KOMM_PAGE_PORT of this machine. */
  page: boolean
  pagePort: number
  redis: RedisAddress
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  return {
    webhookSecrets: readSecrets(env.ESPOCRM_WEBHOOK_SECRETS ?? ''),
    apiToken: (env.KOMM_API_TOKEN ?? '').trim(),
    metricsToken: (env.KOMM_METRICS_TOKEN ?? '').trim() || (env.KOMM_API_TOKEN ?? '').trim(),
    healthSeconds: readPositive(env, 'KOMM_HEALTH_SECONDS', 300),
    maxBytes: readPositive(env, 'KOMM_WEBHOOK_MAX_BYTES', 1024 * 1024),
    concurrency: readPositive(env, 'KOMM_STEP_CONCURRENCY', 2),
    forkServer: readSwitch(env, 'KOMM_FORK_SERVER', true),
    workbench: !env.MOTIA_DOCKER_DISABLE_WORKBENCH,
    page: Boolean((env.KOMM_PAGE_TOKEN ?? '').trim()),
    pagePort: readPositive(env, 'KOMM_PAGE_PORT', 3080),
    redis: readRedis(env.REDIS_URL ?? ''),
  }
}

function readSecrets(text: string): Map<string, string> {
  const secrets = new Map<string, string>()
  for (const part of text.split(',').map((item) => item.trim())) {
    if (part === '') continue
    const [id, secret] = split(part)
    if (!id || !secret) throw new Error('ESPOCRM_WEBHOOK_SECRETS must hold webhookId:secret pairs, comma separated.')
    secrets.set(id, secret)
  }
  return secrets
}

function split(pair: string): [string, string] {
  const colon = pair.indexOf(':')
  return colon < 0 ? [pair, ''] : [pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()]
}

function readPositive(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = env[name]
  if (!text) return fallback
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name} must be a whole number above 0.`)
  return value
}

function readSwitch(env: NodeJS.ProcessEnv, name: string, fallback: boolean): boolean {
  const text = (env[name] ?? '').trim()
  if (text === '') return fallback
  if (text !== '0' && text !== '1') throw new Error(`${name} must be 0 or 1.`)
  return text === '1'
}

function readRedis(text: string): RedisAddress {
  const url = text && URL.canParse(text) ? new URL(text) : undefined
  const db = Number(url?.pathname.slice(1) || '0')
  // Motia 0.17 hands only these members on to its own client: no TLS and no Unix sockets.
  if (url?.protocol !== 'redis:' || !Number.isSafeInteger(db)) {
    throw new Error('REDIS_URL must look like redis://[user:password@]host:port/db (make run sets it by itself).')
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || '6379'),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db,
  }
}
