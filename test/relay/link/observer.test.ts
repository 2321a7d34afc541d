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
const CREATED = 'info The target topic was created'
const NOT_CREATED = 'warn The target topic could not be created; trying again'
const REFUSAL = { status: 'refused', reason: 'topic_not_created' } as const

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

  it('that a topic was created is logged, and what keeps it from being created once, until it is another trouble', ({
    expect,
  }) => {
    const { observe, said } = make()
    const refused = (why: string) => observe.creation('a', { ...REFUSAL, why })
    const unclear = (port: number) => observe.creation('a', { status: 'unclear', why: `${port}` })
    for (let i = 0; i < 2; i++) refused('at most 3')
    for (let i = 0; i < 2; i++) refused('at most 2')
    for (let i = 0; i < 2; i++) unclear(i)
    observe.creation('b', { ...REFUSAL, why: 'at most 2' })
    observe.creation('a', { status: 'created' })
    observe.creation('a', { status: 'exists' })
    unclear(2)
    observe.creation('a', { status: 'exists' })
    unclear(3)
    observe.connected()
    unclear(4)
    expect(said()).toEqual([
      ...Array.from({ length: 4 }, () => NOT_CREATED),
      CREATED,
      NOT_CREATED,
      NOT_CREATED,
      LINKED,
      NOT_CREATED,
    ])
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
