/** What the link tells, as log lines and metrics. A trouble that goes on is logged once. */
import type { Logger } from '../ops/log.ts'
import type { Metrics } from '../ops/metrics.ts'
import type { CreationEnd } from '../query/create.ts'
import type { LinkEvents } from './link.ts'

export interface LinkObserver extends LinkEvents {
  /** A try to create a target topic. */
  creation(topic: string, end: CreationEnd): void
}

export function createLinkObserver(log: Logger, metrics: Metrics): LinkObserver {
  /** What was logged since the last connection. */
  const said = new Set<string>()
  /** Topic → why it could not be created, as it was logged last. */
  const notCreated = new Map<string, string>()
  metrics.linkConnected.set(0)

  return {
    connected() {
      said.clear()
      notCreated.clear()
      metrics.linkConnected.set(1)
      metrics.linkConnects.inc()
      log.info('The worker is linked: it can ask')
    },
    ended(end) {
      metrics.linkConnected.set(0)
      const { status, why } = end
      // A failure's words name addresses and ports; a refusal's say what to change.
      const trouble = status === 'refused' ? why : status
      const isNew = !said.has(trouble)
      said.add(trouble)
      switch (status) {
        case 'lost':
          log.warn({ why }, 'The link to the worker is lost; linking anew')
          break
        case 'refused':
          log[isNew ? 'error' : 'debug'](
            { why },
            'The worker refuses the link; trying now and then',
          )
          break
        case 'failed':
          log[isNew ? 'warn' : 'debug']({ why }, 'The worker could not be linked; trying again')
      }
    },
    stopped: () => metrics.linkConnected.set(0),
    answered(op, result, seconds) {
      metrics.queries.inc({ op, result })
      metrics.querySeconds.observe({ op }, seconds)
      log.debug({ op, result, seconds }, 'A question of the worker is dealt with')
    },
    answerFailed(op, error) {
      log.error({ err: error, op }, 'A question of the worker could not be answered')
    },
    creation(topic, end) {
      switch (end.status) {
        case 'created':
          log.info({ topic }, 'The target topic was created')
          notCreated.delete(topic)
          break
        case 'exists':
          notCreated.delete(topic)
          break
        case 'refused':
        case 'unclear': {
          const { why } = end
          // What can't be asked has changing words: they name brokers and ports.
          const trouble = end.status === 'refused' ? why : end.status
          const isNew = notCreated.get(topic) !== trouble
          notCreated.set(topic, trouble)
          const message = 'The target topic could not be created; trying again'
          log[isNew ? 'warn' : 'debug']({ topic, why }, message)
        }
      }
    },
    targetsFailed(error) {
      log.warn({ err: error }, 'The target topics could not be looked at; trying again')
    },
  }
}
