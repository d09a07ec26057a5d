/**
 * Motia's configuration: Redis, queues, the Workbench's plugins, and the gate in front of it all (gate/gate.ts).
 *
 * The Workbench has no login. Development (make run): on, bound to 127.0.0.1. Production: MOTIA_DOCKER_DISABLE_WORKBENCH=1
 * leaves it out, and every endpoint but the signed webhooks needs the token.
 */
import { BullMQEventAdapter } from '@motiadev/adapter-bullmq-events'
import { defineConfig } from '@motiadev/core'
import bullmqPlugin from '@motiadev/plugin-bullmq/plugin'
import endpointPlugin from '@motiadev/plugin-endpoint/plugin'
import logsPlugin from '@motiadev/plugin-logs/plugin'
import observabilityPlugin from '@motiadev/plugin-observability/plugin'
import statesPlugin from '@motiadev/plugin-states/plugin'
import { bell } from './gate/bell.ts'
import { forgetOldTraces } from './gate/old-traces.ts'
import { LivingCronLock } from './gate/cron-lock.ts'
import { startForkServer } from './gate/fork-server.ts'
import { installGate, isOwnPage } from './gate/gate.ts'
import { readSettings, type Settings } from './gate/settings.ts'
import { wrapSharedStreamsOnce } from './gate/shared-streams.ts'
import { GateTally } from './gate/tally.ts'
import { installWatch } from './gate/watch.ts'

// Motia answers an error in here with a warning and goes on without the gate: so it ends the process instead.
function settingsOrExit(): Settings {
  try {
    return readSettings(process.env)
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exit(1)
  }
}

function configure() {
  const settings = settingsOrExit()
  const { redis } = settings
  const events = new BullMQEventAdapter({ connection: redis, concurrency: settings.concurrency })
  forgetOldTraces(events.connection)
  if (settings.forkServer) startForkServer()
  return defineConfig({
    redis: { useMemoryServer: false, ...redis },
    adapters: { events, cron: new LivingCronLock(redis) },
    plugins: [wrapSharedStreamsOnce, observabilityPlugin, statesPlugin, endpointPlugin, logsPlugin, bullmqPlugin],
    app: (app) => {
      const redis = events.connection
      const tally = new GateTally(redis)
      installWatch(app, settings, redis)
      app.use('/webhooks', tally.answers)
      installGate(app, settings, () => redis.status === 'ready', tally.counted(bell(redis)))
    },
    streamAuth: {
      contextSchema: { type: 'object', properties: {} },
      authenticate: ({ headers }) => {
        // Not with the token either: Motia ends with the first message of a stream's client that is no JSON.
        if (settings.workbench && isOwnPage(headers)) return null
        throw new Error('The streams are for the Workbench only.')
      },
    },
  })
}

// Told to end, Motia says goodbye to Redis first, and waits for ever where Redis has gone at the same time.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => setTimeout(() => process.exit(0), 5000).unref())
}

export default configure()
