import type { MotiaPlugin, MotiaPluginContext } from '@motiadev/core'

/**
 * Wraps once what Motia would wrap again and again.
 *
 * The story: with each call of a step Motia asks for every stream and wraps its methods in its own. The streams of the
 * traces are one object each, for good. So the hundredth call goes through a hundred wrappings, each of which asks Redis and
 * calls all the others again: after some hundred calls Motia needs half a second of the processor for a webhook, and more for
 * each that follows (`python -m bench endurance`).
 */
export function wrapSharedStreamsOnce({ lockedData }: MotiaPluginContext): MotiaPlugin {
  for (const stream of lockedData.listStreams()) {
    const { baseConfig } = stream.config
    if (baseConfig.storageType !== 'custom') continue
    const shared = baseConfig.factory()
    if (baseConfig.factory() !== shared) continue // made anew each time, and so wrapped once
    if (!Object.hasOwn(shared, 'send')) stream.factory() // nobody has asked for it yet: wrapped now
    stream.factory = () => shared
  }
  return { workbench: [] }
}
