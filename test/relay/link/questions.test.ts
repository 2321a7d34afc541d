import { describe, it, onTestFinished } from 'vitest'
import { MAX_LINK_FRAME_BYTES, MAX_LINK_QUERIES, type LinkAnswer } from '#contract'
import { CLUSTER, clusterQuery, startRig, type Peer, type Rig, type RigOptions } from './rig.ts'

async function start(options?: RigOptions): Promise<{ rig: Rig; peer: Peer }> {
  const rig = await startRig(options)
  onTestFinished(() => rig.stop())
  return { rig, peer: await rig.welcomed() }
}

const resultsOf = (rig: Rig) =>
  rig.events.flatMap((e) => (e.event === 'answered' ? [`${e.op} ${e.result}`] : []))
const recordsOf = (value: string): LinkAnswer => ({
  status: 'records',
  records: [{ partition: 0, offset: '1', timestamp: 0, bytes: value.length, value }],
})
// The bytes of an answer with one value, without the value.
const AROUND = Buffer.byteLength(
  JSON.stringify({ type: 'answer', id: 1, answer: { ...recordsOf(''), records: [] } }),
)

async function failureOf(peer: Peer): Promise<[id: number, reason: string]> {
  const frame = await peer.frame()
  if (frame.type !== 'answer' || frame.answer.status !== 'failed') {
    throw new Error(`${frame.type} is no failure`)
  }
  return [frame.id, frame.answer.reason]
}

describe('questions', () => {
  it('are answered each with its id, in whatever order the answers come', async ({ expect }) => {
    const { rig, peer } = await start()
    for (const id of [1, 2, 3]) peer.tell(clusterQuery(id))
    await rig.until(() => rig.asked.length === 3)
    for (const i of [2, 0, 1]) {
      rig.asked[i]?.answer(CLUSTER)
      expect(await peer.frame()).toEqual({ type: 'answer', id: i + 1, answer: CLUSTER })
    }
    await rig.until(() => resultsOf(rig).length === 3)
    expect(resultsOf(rig)).toEqual(Array(3).fill('cluster answered'))
  })

  it('are asked as they came, with less time than the worker has', async ({ expect }) => {
    const { rig, peer } = await start()
    const query = { op: 'topic', topic: 'orders' } as const
    peer.tell({ type: 'query', id: 1, withinMs: 10_000, query })
    peer.tell({ type: 'query', id: 2, withinMs: 1, query })
    await rig.until(() => rig.asked.length === 2)
    expect(rig.asked.map((asked) => asked.query)).toEqual([query, query])
    expect(rig.asked.map((asked) => asked.withinMs)).toEqual([9_000, 1])
  })

  it('that are cancelled are stopped and get no answer, not even a late one', async ({
    expect,
  }) => {
    const { rig, peer } = await start()
    peer.tell(clusterQuery(1))
    peer.tell(clusterQuery(2))
    await rig.until(() => rig.asked.length === 2)
    peer.tell({ type: 'cancel', id: 1 })
    await rig.until(() => resultsOf(rig).length === 1)
    expect(rig.asked.map(({ signal }) => signal.aborted)).toEqual([true, false])
    rig.asked[0]?.answer(CLUSTER)
    rig.asked[1]?.answer(CLUSTER)
    expect(await peer.frame()).toMatchObject({ id: 2 })
    await rig.until(() => resultsOf(rig).length === 2)
    expect(resultsOf(rig)).toEqual(['cluster cancelled', 'cluster answered'])
    expect(peer.waiting).toEqual([])
  })

  it('a cancel of what is answered, or was never asked, is nothing', async ({ expect }) => {
    const { rig, peer } = await start({ answer: async () => CLUSTER })
    peer.tell({ type: 'cancel', id: 7 })
    peer.tell(clusterQuery(1))
    expect(await peer.frame()).toMatchObject({ id: 1 })
    peer.tell({ type: 'cancel', id: 1 })
    peer.tell(clusterQuery(2))
    expect(await peer.frame()).toMatchObject({ id: 2 })
    expect(resultsOf(rig)[0]).toBe('cluster answered')
  })

  it('without an answer in time are answered by the link, and the work is stopped', async ({
    expect,
  }) => {
    const { rig, peer } = await start()
    peer.tell(clusterQuery(1, 50))
    expect(await failureOf(peer)).toEqual([1, 'timed_out'])
    await rig.until(() => resultsOf(rig).length === 1)
    expect(rig.asked[0]?.signal.aborted).toBe(true)
    rig.asked[0]?.answer(CLUSTER)
    peer.tell(clusterQuery(2, 50))
    expect(await failureOf(peer)).toEqual([2, 'timed_out'])
    expect(resultsOf(rig)[0]).toBe('cluster timed_out')
  })

  it('that go wrong in an unforeseen way are answered all the same, and reported', async ({
    expect,
  }) => {
    const { rig, peer } = await start()
    peer.tell(clusterQuery(1))
    await rig.until(() => rig.asked.length === 1)
    rig.asked[0]?.fail(new Error('a defect'))
    expect(await failureOf(peer)).toEqual([1, 'kafka_unavailable'])
    expect(rig.events).toContainEqual({ event: 'answerFailed', error: new Error('a defect') })
  })

  it('that went wrong after they were cancelled are not reported', async ({ expect }) => {
    const { rig, peer } = await start()
    peer.tell(clusterQuery(1))
    await rig.until(() => rig.asked.length === 1)
    peer.tell({ type: 'cancel', id: 1 })
    await rig.until(() => resultsOf(rig).length === 1)
    rig.asked[0]?.fail(new Error('aborted'))
    peer.tell(clusterQuery(2))
    await rig.until(() => rig.asked.length === 2)
    expect(rig.events.filter(({ event }) => event === 'answerFailed')).toEqual([])
  })

  it('beyond the most at once are refused at once; one that ends makes room', async ({
    expect,
  }) => {
    const { rig, peer } = await start()
    for (let id = 1; id <= MAX_LINK_QUERIES + 1; id++) peer.tell(clusterQuery(id))
    expect(await failureOf(peer)).toEqual([MAX_LINK_QUERIES + 1, 'busy'])
    expect(rig.asked).toHaveLength(MAX_LINK_QUERIES)
    rig.asked[4]?.answer(CLUSTER)
    expect(await peer.frame()).toMatchObject({ id: 5, answer: CLUSTER })
    peer.tell(clusterQuery(1_000))
    await rig.until(() => rig.asked.length === MAX_LINK_QUERIES + 1)
  })

  it('that are cancelled hold their place until their work has really ended', async ({
    expect,
  }) => {
    const { rig, peer } = await start()
    for (let id = 1; id <= MAX_LINK_QUERIES; id++) peer.tell(clusterQuery(id))
    await rig.until(() => rig.asked.length === MAX_LINK_QUERIES)
    peer.tell({ type: 'cancel', id: 1 })
    peer.tell(clusterQuery(1_000))
    expect(await failureOf(peer)).toEqual([1_000, 'busy'])
  })

  it('end with their connection: the next one knows nothing of them, whatever their ids', async ({
    expect,
  }) => {
    const { rig, peer } = await start()
    peer.tell(clusterQuery(1))
    await rig.until(() => rig.asked.length === 1)
    peer.destroy()
    const next = await rig.welcomed()
    expect(rig.asked[0]?.signal.aborted).toBe(true)
    next.tell(clusterQuery(1))
    await rig.until(() => rig.asked.length === 2)
    rig.asked[0]?.answer({ ...CLUSTER, clusterId: 'late' })
    rig.asked[1]?.answer(CLUSTER)
    expect(await next.frame()).toEqual({ type: 'answer', id: 1, answer: CLUSTER })
    expect(next.waiting).toEqual([])
  })

  it('end with the stop of the relay, at once', async ({ expect }) => {
    const rig = await startRig()
    const peer = await rig.welcomed()
    peer.tell(clusterQuery(1))
    await rig.until(() => rig.asked.length === 1)
    const stopped = rig.stop()
    expect(rig.asked[0]?.signal.aborted).toBe(true)
    await stopped
    expect(peer.waiting).toEqual([])
  })
})

describe('large answers', () => {
  it('are sent up to the size of a frame; a larger one is replaced by a failure', async ({
    expect,
  }) => {
    const fitting =
      MAX_LINK_FRAME_BYTES -
      AROUND -
      JSON.stringify({ partition: 0, offset: '1', timestamp: 0, bytes: 8_388_000, value: '' })
        .length
    const { rig, peer } = await start()
    for (const [id, length] of [
      [1, fitting],
      [2, fitting + 1],
    ] as const) {
      peer.tell(clusterQuery(id))
      await rig.until(() => rig.asked.length === id)
      rig.asked[id - 1]?.answer(recordsOf('v'.repeat(length)))
      if (id === 1) expect(Buffer.byteLength((await peer.text()) ?? '')).toBe(MAX_LINK_FRAME_BYTES)
    }
    expect(await failureOf(peer)).toEqual([2, 'kafka_unavailable'])
    peer.tell(clusterQuery(3))
    await rig.until(() => rig.asked.length === 3)
  })

  it('are counted in bytes of JSON, which escapes may multiply', async ({ expect }) => {
    const { rig, peer } = await start()
    peer.tell(clusterQuery(1))
    await rig.until(() => rig.asked.length === 1)
    rig.asked[0]?.answer(recordsOf('\0'.repeat(MAX_LINK_FRAME_BYTES / 6)))
    expect(await failureOf(peer)).toEqual([1, 'kafka_unavailable'])
  })

  it('to a worker that does not read are refused, and then the questions too, before they fill the memory', async ({
    expect,
  }) => {
    const value = 'v'.repeat(MAX_LINK_FRAME_BYTES / 2)
    const { rig, peer } = await start()
    peer.stopReading()
    const begun = 12
    for (let id = 1; id <= begun; id++) peer.tell(clusterQuery(id))
    await rig.until(() => rig.asked.length === begun)
    for (const { answer } of rig.asked) answer(recordsOf(value))
    await rig.until(() => resultsOf(rig).length === begun)
    peer.tell(clusterQuery(begun + 1))
    await rig.until(() => resultsOf(rig).length === begun + 1)
    expect(rig.asked).toHaveLength(begun)
    peer.resumeReading()
    const statuses: string[] = []
    for (let i = 0; i <= begun; i++) {
      const frame = await peer.frame()
      statuses.push(frame.type === 'answer' ? frame.answer.status : frame.type)
    }
    const sent = statuses.indexOf('failed')
    // Two frames, and what the network itself holds.
    expect(sent).toBeGreaterThanOrEqual(3)
    expect(statuses.slice(sent)).toEqual(Array(begun + 1 - sent).fill('failed'))
    // All is sent: there is room again.
    peer.tell(clusterQuery(100))
    await rig.until(() => rig.asked.length === begun + 1)
  })

  it('end the connection when even what has to be sent piles up', async ({ expect }) => {
    const { rig, peer } = await start()
    peer.stopReading()
    for (let id = 1; id <= 40; id++) peer.tell(clusterQuery(id))
    await rig.until(() => rig.asked.length === 40)
    const problem = 'x'.repeat(1_000_000)
    for (const { answer } of rig.asked) answer({ status: 'failed', reason: 'busy', problem })
    const end = await rig.until(() => rig.events.find((e) => e.event === 'ended'))
    expect(end).toMatchObject({ why: 'the worker asks and does not read the answers' })
    await rig.welcomed()
  })
})
