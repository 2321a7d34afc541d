import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { MAX_UNAVAILABLE_MS, unpackRuns } from '#contract'
import { Code } from '../../relay/kafka/codes.ts'
import { Doubt } from '../../relay/kafka/lane.ts'
import { idOf, NOW } from '../support/items.ts'
import {
  doubtOf,
  gone,
  idsOf,
  keyed,
  keyFor,
  makeShard,
  ok,
  sendable,
} from '../support/transactions.ts'

describe('a transaction', () => {
  it('adds all its partitions, appends the data, then the ledger record, then commits; the record says where everything is', async ({
    expect,
  }) => {
    const { send, lane, records, points } = makeShard()
    const digest = '0badcafe'
    const delivered = await send([
      sendable(1, [{ value: 'a' }, { value: 'b' }], { digest }),
      sendable(2),
    ])
    expect(lane.calls).toEqual([
      'topology topic,dead-letters',
      'add topic/0,topic/1,ledger/0',
      'append topic/0×2,topic/1×1',
      'append ledger/0×1',
      'commit',
    ])
    expect(points).toEqual(['began', 'data_appended', 'ledger_appended'])
    const head = { datahub: 'datahub-testtest', topic: 'topic', received: NOW, sent: NOW }
    expect(delivered).toEqual({
      committed: { record: { v: 1, batch: delivered.outcomes }, offset: 0n },
      outcomes: [
        [idOf(1), { ...head, digest, runs: [[2, 0, '0']] }],
        [idOf(2), { ...head, runs: [[1, 1, '0']] }],
      ],
      raw: [],
      blocked: [],
    })
    expect(records()).toEqual([delivered.committed?.record])
  })

  it('is not begun when there is nothing to write', async ({ expect }) => {
    const { send, lane } = makeShard({ topology: new Map([['topic', gone(3)]]) })
    expect(await send([])).toEqual({ committed: undefined, outcomes: [], raw: [], blocked: [] })
    expect((await send([sendable(1)])).committed).toBeUndefined()
    expect(lane.calls.filter((call) => !call.startsWith('topology'))).toEqual([])
  })

  it("of which the ledger is refused is in doubt, and nobody's fault", async ({ expect }) => {
    const add = makeShard({ addRefuses: { 'ledger/0': Code.TOPIC_AUTHORIZATION_FAILED } })
    const error = await doubtOf(add.send([sendable(1)]))
    expect(error).toBeInstanceOf(Doubt)
    expect(error).toMatchObject({ step: 'add', partitions: [] })
    expect(add.lane.calls.at(-1)).toBe('add topic/0,ledger/0')
    const append = makeShard({
      resultOf: ({ topic }) =>
        topic === 'ledger' ? { status: 'refused', reason: 'record_too_large' } : undefined,
    })
    expect(await doubtOf(append.send([sendable(1)]))).toMatchObject({
      step: 'ledger',
      partitions: [],
    })
    expect(append.lane.calls).not.toContain('commit')
    expect([add, append].map(({ breakers }) => breakers.open)).toEqual([0, 0])
  })

  it('property: whatever is refused, every envelope comes out once, with the places where it really is, or blocked and nowhere', async ({
    expect,
  }) => {
    const codes = fc.constantFrom(Code.UNKNOWN_TOPIC_OR_PARTITION, Code.TOPIC_AUTHORIZATION_FAILED)
    const partition = fc.nat(2)
    const envelope = fc.record({
      topic: fc.constantFrom('t0', 't1', 't2', 't3'),
      records: fc.array(fc.option(partition, { nil: undefined }), { minLength: 1, maxLength: 4 }),
      received: fc.constantFrom(NOW, NOW - MAX_UNAVAILABLE_MS),
    })
    const places = fc.dictionary(fc.constantFrom('t0/0', 't0/1', 't1/2', 't2/0'), codes)
    await fc.assert(
      fc.asyncProperty(
        fc.array(envelope, { maxLength: 8 }),
        fc.subarray([0, 1, 2]),
        places,
        fc.dictionary(fc.constantFrom('t0/0', 't1/1', 't2/2'), codes),
        fc.uniqueArray(fc.nat(31)),
        async (drawn, leaders, addRefuses, unavailable, refused) => {
          let message = 0
          const shard = makeShard({
            topology: new Map([
              ['t0', ok()],
              ['t1', ok(leaders)],
              ['t2', ok()],
              ['t3', gone(Code.UNKNOWN_TOPIC_OR_PARTITION)],
            ]),
            addRefuses,
            resultOf({ topic, partition: p }) {
              const code = unavailable[`${topic}/${p}`]
              if (code !== undefined) return { status: 'unavailable', code }
              if (!topic.startsWith('t')) return undefined
              return refused.includes(message++)
                ? { status: 'refused', reason: 'invalid_record' }
                : undefined
            },
          })
          const batch = drawn.map(({ topic, records, received }, n) =>
            sendable(
              n,
              records.map((p, i) => ({
                ...(p === undefined ? {} : { key: keyFor(p) }),
                value: `${n}.${i}`,
              })),
              { topic, received },
            ),
          )
          const delivered = await shard.send(batch).catch((error: unknown) => {
            if (!(error instanceof Doubt)) throw error
            expect(error.partitions).toHaveLength(1)
          })
          if (!delivered) {
            expect(shard.lane.committed).toEqual([])
            return
          }
          const { sent, blocked } = idsOf(delivered)
          expect([...sent, ...blocked].sort()).toEqual(
            batch.map(({ envelope: { id } }) => id).sort(),
          )
          const record = delivered.committed?.record
          expect(shard.records()).toEqual(record ? [record] : [])
          expect(record && 'batch' in record ? record.batch : []).toEqual(delivered.outcomes)
          // All that is in Kafka is where an outcome says, and nothing else is there.
          const stored = shard.lane.committed
            .filter(({ append }) => append.topic.startsWith('t'))
            .flatMap(({ append, results }) =>
              results.flatMap((result, at) =>
                result.status === 'stored'
                  ? [
                      `${append.topic}/${append.partition}@${result.offset} ${append.messages[at]?.value?.toString()}`,
                    ]
                  : [],
              ),
            )
          const told = delivered.outcomes.flatMap(([id, { topic, runs }]) => {
            const n = batch.findIndex((s) => s.envelope.id === id)
            const reports = unpackRuns(runs)
            expect(reports).toHaveLength(batch[n]?.records.length ?? 0)
            return reports.flatMap((r, i) =>
              r.status === 'delivered' ? [`${topic}/${r.partition}@${r.offset} ${n}.${i}`] : [],
            )
          })
          expect(stored.sort()).toEqual(told.sort())
          const failed = delivered.outcomes.flatMap(([, { runs }]) =>
            unpackRuns(runs).filter((r) => r.status === 'failed'),
          )
          expect(shard.letters()).toHaveLength(failed.length)
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('a topic or partition that can not take records', () => {
  it.for([
    [Code.UNKNOWN_TOPIC_OR_PARTITION, 'topic_not_found'],
    [Code.TOPIC_AUTHORIZATION_FAILED, 'not_authorized'],
    [Code.LEADER_NOT_AVAILABLE, 'no_leader'],
  ] as const)(
    'a topic that answers %i is not asked for again until its breaker lets it be tried: %s',
    async ([code, reason], { expect }) => {
      const topology = new Map([
        ['topic', ok()],
        ['bad', gone(code)],
      ])
      const { send, lane, time } = makeShard({ topology })
      const bad = sendable(1, undefined, { topic: 'bad' })
      const delivered = await send([bad, sendable(2)])
      expect(idsOf(delivered)).toEqual({ sent: [idOf(2)], blocked: [idOf(1)] })
      expect(delivered.blocked).toMatchObject([{ reason, place: 'bad', topic: 'bad' }])
      expect((await send([bad, sendable(3)])).blocked).toMatchObject([{ reason, place: 'bad' }])
      time.clock = 1_000
      topology.set('bad', ok())
      expect(idsOf(await send([bad]))).toEqual({ sent: [idOf(1)], blocked: [] })
      expect(lane.calls.filter((call) => call.startsWith('topology'))).toEqual([
        'topology bad,topic,dead-letters',
        'topology topic,dead-letters',
        'topology bad,dead-letters',
      ])
    },
  )

  it('a topic whose breaker ends while the others are asked for keeps its reason: nobody has tried it', async ({
    expect,
  }) => {
    const shard = makeShard({
      before(step) {
        if (step === 'topology') shard.time.clock = 1_000
      },
    })
    shard.breakers.fail('bad', 'not_authorized')
    shard.time.clock = 999
    const { blocked } = await shard.send([sendable(1, undefined, { topic: 'bad' })])
    expect(blocked).toMatchObject([{ reason: 'not_authorized', place: 'bad' }])
  })

  it('a partition with a transaction that was never ended takes nothing; the rest is sent without it', async ({
    expect,
  }) => {
    const { send, lane, breakers } = makeShard({ hanging: ['topic/1'] })
    const delivered = await send([sendable(1, keyed(0, 1)), sendable(2, keyed(0))])
    expect(idsOf(delivered)).toEqual({ sent: [idOf(2)], blocked: [idOf(1)] })
    expect(delivered.blocked).toMatchObject([{ reason: 'hanging_transaction', place: 'topic/1' }])
    expect(lane.calls).toContain('add topic/0,ledger/0')
    expect(breakers.reasonFor('topic/1')).toBe('hanging_transaction')
  })

  it('a partition that may not be asked about is written to, and told', async ({ expect }) => {
    const { send, unchecked } = makeShard({ unchecked: ['topic/1'] })
    expect(idsOf(await send([sendable(1, keyed(0, 1))])).sent).toEqual([idOf(1)])
    expect(unchecked).toEqual(['topic/1'])
  })

  it('a partition that ADD refuses takes out only the envelopes that touch it, and is not added again while its breaker is open', async ({
    expect,
  }) => {
    const refuses: Record<string, number> = { 'topic/1': Code.TOPIC_AUTHORIZATION_FAILED }
    const { send, lane, breakers, time } = makeShard({ addRefuses: refuses })
    const delivered = await send([
      sendable(1, keyed(0, 1)),
      sendable(2, keyed(0, 2)),
      sendable(3, keyed(1)),
      sendable(4, keyed(2)),
    ])
    expect(idsOf(delivered)).toEqual({
      sent: [idOf(2), idOf(4)],
      blocked: [idOf(1), idOf(3)],
    })
    expect(delivered.blocked).toMatchObject(
      Array(2).fill({ reason: 'not_authorized', place: 'topic/1', topic: 'topic' }),
    )
    expect(lane.valuesIn('topic').sort()).toEqual(['p0', 'p2', 'p2'])
    expect(delivered.outcomes.map(([, { runs }]) => runs)).toEqual([
      [
        [1, 0, '0'],
        [1, 2, '0'],
      ],
      [[1, 2, '1']],
    ])
    expect(breakers.open).toBe(1)
    await send([sendable(5, keyed(1)), sendable(6, keyed(0))])
    expect(lane.calls.filter((call) => call.startsWith('add')).at(-1)).toBe('add topic/0,ledger/0')
    time.clock = 1_000
    delete refuses['topic/1']
    expect(idsOf(await send([sendable(5, keyed(1))])).sent).toEqual([idOf(5)])
    expect(breakers.failingFor('topic/1')).toBe(0)
  })

  it('when all of it is refused after ADD the transaction ends with no record at all', async ({
    expect,
  }) => {
    const { send, lane } = makeShard({ addRefuses: { 'topic/0': 3 } })
    const delivered = await send([sendable(1)])
    expect(delivered).toMatchObject({ committed: undefined, outcomes: [] })
    expect(idsOf(delivered).blocked).toEqual([idOf(1)])
    expect(lane.calls.slice(-2)).toEqual(['append ', 'commit'])
    expect(lane.committed).toEqual([])
  })

  it('a partition that is refused only when it is written to blocks what was wholly for it; the rest is committed', async ({
    expect,
  }) => {
    const { send, breakers, lane } = makeShard({
      resultOf: ({ topic, partition }) =>
        topic === 'topic' && partition === 1 ? { status: 'unavailable', code: 3 } : undefined,
    })
    const delivered = await send([sendable(1, keyed(1, 1)), sendable(2, keyed(0, 2))])
    expect(idsOf(delivered)).toEqual({ sent: [idOf(2)], blocked: [idOf(1)] })
    expect(delivered.blocked).toMatchObject([{ reason: 'topic_not_found', place: 'topic/1' }])
    expect(breakers.reasonFor('topic/1')).toBe('topic_not_found')
    expect(lane.calls.at(-1)).toBe('commit')
  })

  it('an envelope of which a part is stored elsewhere can not be committed: a doubt that names the partition', async ({
    expect,
  }) => {
    const { send, breakers, lane } = makeShard({
      resultOf: ({ topic, partition }) =>
        topic === 'topic' && partition === 1 ? { status: 'unavailable', code: 29 } : undefined,
    })
    const error = await doubtOf(send([sendable(1, keyed(0, 1)), sendable(2, keyed(2))]))
    expect(error).toBeInstanceOf(Doubt)
    expect(error).toMatchObject({
      step: 'append',
      fenced: false,
      partitions: [{ topic: 'topic', partition: 1 }],
    })
    expect(breakers.reasonFor('topic/1')).toBe('not_authorized')
    expect(lane.committed).toEqual([])
  })
})
