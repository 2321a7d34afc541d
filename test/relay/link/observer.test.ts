import { describe, it } from 'vitest'
import { createLinkObserver } from '../../../relay/link/observer.ts'
import { createMetrics } from '../../../relay/ops/metrics.ts'
import { captureLog } from '../outages/log-lines.ts'

function make() {
  const metrics = createMetrics()
  const log = captureLog('info')
  const observe = createLinkObserver(log.logger, metrics)
  return {
    observe,
    said: () => log.lines.map(({ level, msg }) => `${level} ${msg}`),
    async metric(name: string) {
      const { values = [] } =
        (await metrics.registry.getSingleMetric(`edgehub_relay_${name}`)?.get()) ?? {}
      return values.map(({ labels, value }) => ({ ...labels, value }))
    },
  }
}

const REFUSED = 'error The worker refuses the link; trying now and then'
const FAILED = 'warn The worker could not be linked; trying again'
const LOST = 'warn The link to the worker is lost; linking anew'
const LINKED = 'info The worker is linked: it can ask'

describe('what the link tells', () => {
  it('a trouble that goes on is logged once, until there was a connection', ({ expect }) => {
    const { observe, said } = make()
    const round = () => {
      for (let i = 1; i <= 3; i++) {
        observe.ended({ status: 'failed', why: `port ${i}` })
        observe.ended({ status: 'refused', why: 'another instance' })
      }
    }
    round()
    observe.connected()
    round()
    expect(said()).toEqual([FAILED, REFUSED, LINKED, FAILED, REFUSED])
  })

  it('a refusal for another reason is logged, and so is each loss', ({ expect }) => {
    const { observe, said } = make()
    observe.ended({ status: 'refused', why: 'another instance' })
    observe.ended({ status: 'refused', why: 'another version' })
    for (let i = 0; i < 2; i++) {
      observe.connected()
      observe.ended({ status: 'lost', why: 'the line ended with 1006' })
    }
    expect(said()).toEqual([REFUSED, REFUSED, LINKED, LOST, LINKED, LOST])
  })

  it('the metrics show whether it is connected, and how questions ended', async ({ expect }) => {
    const { observe, metric } = make()
    expect(await metric('link_connected')).toEqual([{ value: 0 }])
    observe.connected()
    expect(await metric('link_connected')).toEqual([{ value: 1 }])
    observe.answered('topic', 'answered', 0.2)
    observe.answered('topic', 'busy', 0)
    observe.ended({ status: 'lost', why: 'x' })
    observe.connected()
    observe.stopped()
    expect(await metric('link_connected')).toEqual([{ value: 0 }])
    expect(await metric('link_connects_total')).toEqual([{ value: 2 }])
    expect(await metric('queries_total')).toEqual([
      { op: 'topic', result: 'answered', value: 1 },
      { op: 'topic', result: 'busy', value: 1 },
    ])
  })
})
