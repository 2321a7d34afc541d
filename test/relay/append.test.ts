import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import {
  appendAll,
  AppendError,
  type Append,
  type AppendResult,
  type ProduceAnswer,
  type ProduceCall,
} from '../../relay/kafka/append.ts'
import { Code } from '../../relay/kafka/codes.ts'

const NOW = 5
const MAX_BATCH_BYTES = 1_000

function append(partition: number, values: string[]): Append {
  return {
    topic: 't',
    partition,
    messages: values.map((value) => ({ key: null, value: Buffer.from(value), timestamp: 1 })),
  }
}

const textOf = ({ messages }: ProduceCall) => messages.map((m) => m.value?.toString() ?? '')

interface Script {
  // A code refuses the batch; undefined stores it.
  judge?: (call: ProduceCall) => number | undefined
  // Instead of an answer.
  lose?: (leader: number, calls: readonly ProduceCall[]) => Error | undefined
  leaderOf?: (append: Append) => number
}

// Partitions on no Kafka: what is stored stands in `logs`, at its offset.
function broker({ judge = () => undefined, lose, leaderOf = () => 1 }: Script = {}) {
  const requests: string[] = []
  const logs = new Map<number, string[]>()
  const underWay = new Map<number, number>()
  let mostUnderWay = 0
  return {
    requests,
    logs,
    mostUnderWay: () => mostUnderWay,
    deps: {
      leaderOf,
      maxBatchBytes: MAX_BATCH_BYTES,
      now: () => NOW,
      async produce(leader: number, calls: readonly ProduceCall[]): Promise<ProduceAnswer[]> {
        underWay.set(leader, (underWay.get(leader) ?? 0) + 1)
        mostUnderWay = Math.max(mostUnderWay, underWay.get(leader) ?? 0)
        requests.push(
          `${leader}: ${calls.map((c) => `${c.partition}=${textOf(c).join('')}${{ own: '', now: '!', none: '?' }[c.stamp]}`).join(' ')}`,
        )
        await Promise.resolve()
        underWay.set(leader, (underWay.get(leader) ?? 0) - 1)
        const lost = lose?.(leader, calls)
        if (lost) throw lost
        return calls.map((call) => {
          const code = judge(call)
          if (code !== undefined) return { code }
          const log = logs.get(call.partition) ?? []
          logs.set(call.partition, log)
          const baseOffset = BigInt(log.length)
          log.push(...textOf(call))
          return { code: 0, baseOffset }
        })
      },
    },
  }
}

const shortOf = (results: AppendResult[]) =>
  results.map((r) => {
    if (r.status === 'stored') return Number(r.offset)
    return r.status === 'refused' ? r.reason : r.code
  })

describe('appending', () => {
  it('asks each leader for all its partitions at once, and gives each message its offset', async ({
    expect,
  }) => {
    const { deps, requests } = broker({ leaderOf: ({ partition }) => partition % 2 })
    const results = await appendAll(
      [append(0, ['a', 'b']), append(1, ['c']), append(2, ['d'])],
      deps,
    )
    expect(requests).toEqual(['0: 0=ab 2=d', '1: 1=c'])
    expect(results.map(shortOf)).toEqual([[0, 1], [0], [0]])
  })

  it('splits what is larger than a record batch may be, one request at a time, in order', async ({
    expect,
  }) => {
    const values = ['a', 'b', 'c', 'd', 'e'].map((c) => c.repeat(300))
    const { deps, requests, logs, mostUnderWay } = broker()
    const [results = []] = await appendAll([append(0, values)], deps)
    expect(requests).toHaveLength(3)
    expect(mostUnderWay()).toBe(1)
    expect(logs.get(0)).toEqual(values)
    expect(shortOf(results)).toEqual([0, 1, 2, 3, 4])
  })

  it('a message that is larger than a record batch may be is sent alone', async ({ expect }) => {
    const { deps, requests } = broker()
    await appendAll([append(0, ['a', 'b'.repeat(2_000), 'c'])], deps)
    expect(requests).toHaveLength(3)
  })

  it.for([
    [Code.MESSAGE_TOO_LARGE, 'record_too_large'],
    [Code.INVALID_RECORD, 'invalid_record'],
  ] as const)(
    'code %i refuses the records to blame alone: %s; what is beside them is stored',
    async ([code, reason], { expect }) => {
      const { deps, logs } = broker({
        judge: (call) => (textOf(call).some((v) => v === 'x') ? code : undefined),
      })
      const results = await appendAll(
        [append(0, ['a', 'b', 'x', 'c', 'x']), append(1, ['d'])],
        deps,
      )
      expect(results.map(shortOf)).toEqual([[0, 1, reason, 2, reason], [0]])
      expect([0, 1].map((p) => logs.get(p))).toEqual([['a', 'b', 'c'], ['d']])
    },
  )

  it("a refused time stamp is replaced by the broker's time, and only a second refusal blames the record", async ({
    expect,
  }) => {
    const old = broker({ judge: (c) => (c.stamp === 'now' ? undefined : Code.INVALID_TIMESTAMP) })
    expect((await appendAll([append(0, ['a', 'b'])], old.deps)).map(shortOf)).toEqual([[0, 1]])
    expect(old.requests).toEqual(['1: 0=ab', '1: 0=ab!'])
    const never = broker({ judge: () => Code.INVALID_TIMESTAMP })
    expect((await appendAll([append(0, ['a', 'b'])], never.deps)).map(shortOf)).toEqual([
      ['invalid_record', 'invalid_record'],
    ])
  })

  it.for([Code.UNKNOWN_TOPIC_OR_PARTITION, Code.TOPIC_AUTHORIZATION_FAILED])(
    'code %i marks all of the partition that is not stored yet, asks no more of it, and costs the others nothing',
    async (code, { expect }) => {
      const values = ['a', 'b', 'c', 'd', 'e'].map((c) => c.repeat(300))
      const { deps, requests } = broker({
        judge: (call) => (textOf(call)[0] === values[2] ? code : undefined),
      })
      const results = await appendAll([append(0, values), append(1, ['x', 'y'])], deps)
      expect(results.map(shortOf)).toEqual([
        [0, 1, code, code, code],
        [0, 1],
      ])
      expect(requests).toHaveLength(2)
    },
  )

  it('a lost answer names every partition that was asked of that leader, and what was lost', async ({
    expect,
  }) => {
    const lost = Object.assign(new Error('socket closed'), { code: Code.LEADER_NOT_AVAILABLE })
    const { deps } = broker({
      leaderOf: ({ partition }) => partition % 2,
      lose: (leader) => (leader === 0 ? lost : undefined),
    })
    const error = await appendAll(
      [append(0, ['a']), append(1, ['b']), append(2, ['c'])],
      deps,
    ).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(AppendError)
    expect(error).toMatchObject({
      message: 'broker 0: socket closed',
      cause: lost,
      partitions: [
        { topic: 't', partition: 0 },
        { topic: 't', partition: 2 },
      ],
    })
  })

  it('an unexpected code names the partition and itself, and reports nothing before all leaders have answered', async ({
    expect,
  }) => {
    const { deps, requests } = broker({
      leaderOf: ({ partition }) => partition,
      judge: ({ partition }) => (partition === 0 ? 19 : undefined),
    })
    const values = ['a', 'b', 'c'].map((c) => c.repeat(600))
    const error = await appendAll([append(0, ['a']), append(1, values)], deps).catch(
      (e: unknown) => e,
    )
    expect(error).toMatchObject({
      name: 'AppendError',
      code: 19,
      partitions: [{ topic: 't', partition: 0 }],
    })
    expect(requests.filter((request) => request.startsWith('1'))).toHaveLength(3)
  })

  it('property: whatever is refused for what it is, each message is stored once at the offset that is told, in order, or refused', async ({
    expect,
  }) => {
    const kinds = fc.constantFrom('good', 'large', 'invalid', 'untimely')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(kinds, fc.nat(500)), { minLength: 1, maxLength: 12 }), {
          maxLength: 4,
        }),
        async (drawn) => {
          const codes: Record<string, number> = {
            large: Code.MESSAGE_TOO_LARGE,
            invalid: Code.INVALID_RECORD,
          }
          const { deps, logs } = broker({
            leaderOf: ({ partition }) => partition % 2,
            judge(call) {
              const is = (kind: string) => textOf(call).some((v) => v.startsWith(kind))
              const bad = ['large', 'invalid'].find(is)
              if (bad) return codes[bad]
              return is('untimely') && call.stamp === 'own' ? Code.INVALID_TIMESTAMP : undefined
            },
          })
          const appends = drawn.map((messages, partition) =>
            append(
              partition,
              messages.map(([kind, size], i) => `${kind}-${i}-${'.'.repeat(size)}`),
            ),
          )
          const results = await appendAll(appends, deps)
          for (const [partition, { messages }] of appends.entries()) {
            const values = messages.map((m) => m.value?.toString() ?? '')
            const good = values.filter((v) => !/^(large|invalid)/.test(v))
            expect(logs.get(partition) ?? []).toEqual(good)
            expect(shortOf(results[partition] ?? [])).toEqual(
              values.map((v) => {
                if (v.startsWith('large')) return 'record_too_large'
                return v.startsWith('invalid') ? 'invalid_record' : good.indexOf(v)
              }),
            )
          }
        },
      ),
    )
  })
})
