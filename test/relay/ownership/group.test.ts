import { inject, it } from 'vitest'
import { createCluster } from '../../../relay/kafka/kafkajs.ts'
import { ApiKey, createGroup, SHARDS } from './relays.ts'

const brokers = inject('brokers')
const never = new AbortController().signal

it('one relay owns all; a second takes its half and no more; when it leaves, its half comes back at once', async ({
  expect,
}) => {
  const group = await createGroup(brokers)
  const a = group.createRelay('a')
  expect(a.isMember()).toBe(false)
  const ended = a.start()
  await a.owns(4)
  expect(a.moves()).toEqual(['+0', '+1', '+2', '+3'])
  expect(a.isMember()).toBe(true)
  const since = group.log.length

  const b = group.createRelay('b')
  void b.start()
  await Promise.all([a.owns(2), b.owns(2)])
  expect([...a.owned(), ...b.owned()].sort((x, y) => x - y)).toEqual(SHARDS)
  // What it keeps is neither revoked nor granted again.
  expect(a.moves().slice(4)).toEqual(['-2', '-3'])
  expect(b.moves()).toEqual(['+2', '+3'])

  await b.stop()
  expect(b.isMember()).toBe(false)
  expect(b.owned().size).toBe(0)
  // The coordinator knows already, so nobody waits for the session time-out.
  expect(await group.members()).toHaveLength(1)
  await a.owns(4)
  expect(a.moves().slice(6)).toEqual(['+2', '+3'])
  expect(b.moves()).toHaveLength(2)
  expect(group.log.filter(({ what }) => what === 'left')).toEqual([
    { relay: 'b', what: 'left', of: true },
  ])
  expect(group.log.slice(since).filter(({ what }) => what === 'crashed')).toEqual([])

  await Promise.all([a.stop(), a.stop()])
  await ended
  expect(await group.members()).toEqual([])
  // The ledger is never consumed.
  expect([...a.network.requests, ...b.network.requests]).not.toContain(ApiKey.FETCH)
})

it('a relay that is cut off loses its shards to the other after the session time-out, works on, and comes back for its own', async ({
  expect,
}) => {
  const group = await createGroup(brokers)
  const a = group.createRelay('a')
  void a.start()
  await a.owns(4)
  const b = group.createRelay('b')
  void b.start()
  await Promise.all([a.owns(2), b.owns(2)])
  const own = [...a.owned()]

  a.network.down()
  await a.until('crashed')
  expect(a.isMember()).toBe(false)
  expect([...a.owned()]).toEqual(own)
  expect(await a.commit(new Map([[0, '1']]))).toBe(false)
  const confirmed = a.confirm(0, never)
  await b.owns(4)

  const joins = group.log.filter(({ relay, what }) => relay === 'a' && what === 'joined').length
  a.network.up()
  await a.until('joined', joins + 1)
  await b.owns(2)
  expect([...a.owned()]).toEqual(own)
  expect(a.moves().slice(4)).toEqual(['-2', '-3'])
  expect(b.moves()).toEqual(['+2', '+3', '+0', '+1', '-0', '-1'])
  expect(await confirmed).toBe(true)
})

it('a relay starts without Kafka, and joins when Kafka is there', async ({ expect }) => {
  const group = await createGroup(brokers)
  const a = group.createRelay('a')
  a.network.down()
  void a.start()
  await a.until('crashed', 2)
  expect(a.isMember()).toBe(false)
  a.network.up()
  await a.owns(4)
  expect(a.isMember()).toBe(true)
})

it('a relay stops without Kafka', async ({ expect }) => {
  const group = await createGroup(brokers)
  const connecting = group.createRelay('connecting')
  connecting.network.down()
  const ended = connecting.start()
  await connecting.stop()
  await ended

  const waiting = group.createRelay('waiting')
  waiting.network.down()
  const endedToo = waiting.start()
  await waiting.until('crashed')
  await waiting.stop()
  await endedToo
  expect(group.log.filter(({ what }) => what === 'granted' || what === 'joined')).toEqual([])

  const never = group.createRelay('never started')
  await never.stop()
  await never.start()
})

it('a relay leaves also when it is stopped in the middle of its join, and owns nothing', async ({
  expect,
}) => {
  const group = await createGroup(brokers)
  const a = group.createRelay('a')
  const joining = Promise.withResolvers<void>()
  a.network.onRequest(ApiKey.JOIN_GROUP, joining.resolve)
  const ended = a.start()
  await joining.promise
  await a.stop()
  await ended
  expect(await group.members()).toEqual([])
  expect(group.log).toEqual([{ relay: 'a', what: 'left', of: true }])
})

it('a member that the coordinator has forgotten joins again, without a rebalance and without losing anything', async ({
  expect,
}) => {
  const group = await createGroup(brokers)
  const a = group.createRelay('a')
  void a.start()
  await a.owns(4)
  const since = group.log.length
  const confirmed = a.confirm(3, never)
  const [memberId] = await group.members()
  await expel(group.groupId, memberId)
  await a.until('joined', 2)
  expect(group.log.slice(since)).toEqual([{ relay: 'a', what: 'joined', of: SHARDS }])
  expect(a.moves()).toEqual(['+0', '+1', '+2', '+3'])
  expect(await confirmed).toBe(true)
})

it('a fenced owner is told to go on if it still holds the shard, and not to if the shard goes', async ({
  expect,
}) => {
  const group = await createGroup(brokers)
  let asked: Promise<boolean>[] = []
  const a = group.createRelay('a', ({ what }) => {
    if (what === 'rebalancing') asked = SHARDS.map((shard) => a.confirm(shard, never))
  })
  expect(await a.confirm(0, never)).toBe(false)
  void a.start()
  await a.owns(4)
  expect(await a.confirm(0, never)).toBe(true)
  expect(await a.confirm(4, never)).toBe(false)
  expect(await a.confirm(0, AbortSignal.abort())).toBe(false)
  const abort = new AbortController()
  const aborted = a.confirm(0, abort.signal)
  abort.abort()
  expect(await aborted).toBe(false)

  const b = group.createRelay('b')
  void b.start()
  await Promise.all([a.owns(2), b.owns(2)])
  expect(await Promise.all(asked)).toEqual([true, true, false, false])

  const atStop = a.confirm(0, never)
  await a.stop()
  expect(await atStop).toBe(false)
})

it('offsets are committed while paused, of owned shards only', async ({ expect }) => {
  const group = await createGroup(brokers)
  const a = group.createRelay('a')
  void a.start()
  await a.owns(4)
  const b = group.createRelay('b')
  void b.start()
  await Promise.all([a.owns(2), b.owns(2)])

  const all = (offset: string) => new Map(SHARDS.map((shard) => [shard, offset]))
  expect(await Promise.all([a.commit(all('10')), a.commit(all('11'))])).toEqual([true, true])
  expect(await b.commit(all('20'))).toBe(true)
  const expected = SHARDS.map((partition) => ({
    partition,
    offset: a.owned().has(partition) ? '11' : '20',
  }))
  const committed = await group.admin.fetchOffsets({
    groupId: group.groupId,
    topics: [group.topic],
  })
  expect(committed[0]?.partitions).toMatchObject(expected)
  expect(group.log.filter(({ what }) => what === 'commit failed')).toEqual([])
})

// Takes a member out of its group behind its back, as the coordinator does when a session runs out.
async function expel(groupId: string, memberId: string | undefined): Promise<void> {
  const cluster = createCluster({ brokers, clientId: 'expel' })
  await cluster.connect()
  await cluster.refreshMetadata()
  const coordinator = await cluster.findGroupCoordinator({ groupId, coordinatorType: 0 })
  await (coordinator as unknown as { leaveGroup(of: object): Promise<unknown> }).leaveGroup({
    groupId,
    memberId,
  })
  await cluster.disconnect()
}
