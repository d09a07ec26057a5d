import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PYTHON = join('python_modules', 'bin', 'python')
const PAUSE_MS = 1000
const PAUSE_MAX_MS = 60_000

/**
 * Starts what the steps' work is forked from (services/fork_server.py), and starts it again whenever it ends. Steps inherit
 * where it is. It ends with this process, whose death closes its standard input.
 */
export function startForkServer(): void {
  let folder: string
  try {
    // A folder of our own: nobody else on this machine may ask, or answer in its place.
    folder = mkdtempSync(join(tmpdir(), 'komm-'))
  } catch {
    return warn('There is no room for a fork server in the folder for temporary files; steps load everything themselves.', {})
  }
  process.env.KOMM_FORK_SOCKET = join(folder, 'fork')
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  run(process.env.KOMM_FORK_SOCKET, PAUSE_MS)
}

function run(path: string, pause: number): void {
  const started = Date.now()
  const server = spawn(PYTHON, ['-m', 'services.fork_server', path], { stdio: ['pipe', 'ignore', 'inherit'] })
  server.stdin?.on('error', () => undefined) // its end is told below; unheard, this would end Motia
  let over = false
  const again = (cause: string) => {
    if (over) return
    over = true
    const steady = Date.now() - started > PAUSE_MAX_MS
    warn('The fork server ended and is started again; steps load everything themselves until then.', { cause })
    setTimeout(() => run(path, steady ? PAUSE_MS : Math.min(2 * pause, PAUSE_MAX_MS)), pause).unref()
  }
  server.once('error', (error) => again(error.name))
  server.once('exit', (code, signal) => again(String(signal ?? code)))
}

function warn(msg: string, facts: Record<string, unknown>): void {
  console.log(JSON.stringify({ level: 'warn', msg, gate: true, ...facts }))
}
