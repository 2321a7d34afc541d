import { describe, it } from 'vitest'
import { problemsOf, type OwnTopic } from '../../../relay/kafka/topics.ts'

const GOOD: Record<string, string> = {
  'cleanup.policy': 'delete',
  'retention.ms': String(14 * 86_400_000),
  'retention.bytes': '-1',
  'unclean.leader.election.enable': 'false',
  'compression.type': 'producer',
  'max.message.bytes': '10485760',
  'min.insync.replicas': '2',
}
const topic = (change: Partial<OwnTopic> = {}, config: Record<string, string> = {}): OwnTopic => ({
  partitions: 4,
  replicas: 3,
  config: new Map(Object.entries({ ...GOOD, ...config })),
  ...change,
})
const ledger = { shards: 4, replicated: true, isLedger: true }
const letters = { ...ledger, isLedger: false }

describe("Edgehub's own topics", () => {
  it('fit as the relay makes them', ({ expect }) => {
    expect(problemsOf(topic(), ledger)).toEqual([])
    expect(problemsOf(topic(), letters)).toEqual([])
  })

  it.for<[OwnTopic, RegExp]>([
    [topic({ partitions: 8 }), /^it has 8 partitions, the relay has 4 shards/],
    [topic({ replicas: 1 }), /^it has 1 replicas/],
    [topic({}, { 'min.insync.replicas': '1' }), /^min\.insync\.replicas is 1/],
    [topic({}, { 'max.message.bytes': '1048588' }), /^max\.message\.bytes is 1048588/],
    [topic({}, { 'unclean.leader.election.enable': 'true' }), /^unclean/],
    [topic({}, { 'cleanup.policy': 'compact' }), /^cleanup\.policy is compact/],
    [topic({}, { 'retention.ms': '604800000' }), /^retention\.ms is 604800000/],
    [topic({}, { 'retention.bytes': '1000' }), /^retention\.bytes is 1000/],
    [topic({}, { 'compression.type': 'lz4' }), /^compression\.type is lz4/],
    [topic({ config: new Map() }), /not known/],
  ])('a ledger that does not fit is refused with the reason %#', ([bad, reason], { expect }) => {
    expect(problemsOf(bad, ledger).join('; ')).toMatch(reason)
  })

  it('dead letters may be kept in any way, but must take every record of every shard', ({
    expect,
  }) => {
    const kept = { 'cleanup.policy': 'compact,delete', 'retention.ms': '1', 'retention.bytes': '1' }
    expect(problemsOf(topic({ partitions: 8 }, kept), letters)).toEqual([])
    expect(problemsOf(topic({ partitions: 2 }), letters)).toHaveLength(1)
    expect(problemsOf(topic({}, { 'max.message.bytes': '1' }), letters)).toHaveLength(1)
  })

  it('on fewer than three brokers replication is not asked for', ({ expect }) => {
    const one = topic({ replicas: 1 }, { 'min.insync.replicas': '1' })
    expect(problemsOf(one, { ...ledger, replicated: false })).toEqual([])
  })
})
