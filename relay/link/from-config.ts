/** The link of this process, put together from the settings: what it asks, and where it tells. */
import type { Config } from '../config.ts'
import { kafkaSettingsOf } from '../kafka/settings.ts'
import type { Logger } from '../ops/log.ts'
import type { Metrics } from '../ops/metrics.ts'
import { createQueries } from '../query/query.ts'
import { createLink, type Link, type LinkOptions } from './link.ts'
import { createLinkObserver } from './observer.ts'

export interface LinkDeps extends Pick<LinkOptions, 'onWake' | 'clock' | 'random' | 'sleep'> {
  log: Logger
  metrics: Metrics
}

export function linkFromConfig(config: Config, { log, metrics, ...deps }: LinkDeps): Link {
  const observe = createLinkObserver(log, metrics)
  const queries = createQueries({
    kafka: kafkaSettingsOf(config),
    minInSyncReplicas: config.MIN_IN_SYNC_REPLICAS,
    compresses: config.KAFKA_COMPRESSION !== 'none',
    onCreation: observe.creation,
    clock: deps.clock,
  })
  const link = createLink({
    url: config.WORKER_URL,
    token: config.RELAY_TOKEN,
    instance: config.INSTANCE_ID,
    relay: config.RELAY_ID,
    queries,
    observe,
    times: { targetsMs: config.TARGET_CHECK_MS },
    ...deps,
  })
  return {
    async run(signal) {
      try {
        await link.run(signal)
      } finally {
        queries.close()
      }
    },
  }
}
