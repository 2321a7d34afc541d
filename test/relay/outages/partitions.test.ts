// Single connections, partitions and topics that fail or move, while the brokers are well.
import { randomBytes } from 'node:crypto'
import { describe, inject, it } from 'vitest'
import { partitionOf } from '../../../relay/kafka/partitioner.ts'
import { createLossySockets, END_TXN, PRODUCE } from '../../support/lossy-socket.ts'
import { createPlacedTopic, deleteTopic, moveLeader } from './cluster.ts'
import { MSG, says } from './log-lines.ts'
import { startRig } from './rig.ts'

const kafka = { brokers: inject('brokers'), clientId: 'partition-outage-test' }
const REQUEST_TIMEOUT_MS = 5_000
// To give up the dead connections, on a busy machine.
const SLACK_MS = 3_000

const keyFor = (partition: number): string => {
  for (let n = 0; ; n++) if (partitionOf(Buffer.from(`k${n}`), 3) === partition) return `k${n}`
}

describe('a connection to a broker', { concurrent: true }, () => {
  it('half-open in a Produce: given up within the request time-out; what is for that partition waits, the rest goes on at once', async ({
    expect,
  }) => {
    const sockets = createLossySockets()
    const rig = await startRig({ kafka: { ...kafka, socketFactory: sockets.socketFactory } })
    rig.sendSome(3)
    await rig.allAcked()

    const halfOpen = sockets.halfOpenNext(PRODUCE)
    rig.send([{ key: keyFor(0), value: 'hit' }])
    await halfOpen
    const since = performance.now()
    const { opened } = sockets
    rig.send([{ key: keyFor(1), value: 'another partition' }])
    rig.sendSome(2)
    const doubt = await rig.log.until((lines) => lines.find(says(MSG.doubt)))
    expect(performance.now() - since).toBeLessThan(REQUEST_TIMEOUT_MS + SLACK_MS)
    expect(doubt.err?.message).toContain('Produce(key: 0, version: 7) timed out')
    const blocked = await rig.log.until((lines) => lines.find(says(MSG.blocked)))
    expect(blocked).toMatchObject({ place: `${rig.shard.topic}/0`, reason: 'no_leader' })
    expect(await rig.metric('topic_breakers_open')).toBe(1)
    await rig.acked(6)
    await rig.allAcked()
    expect(await rig.metric('topic_breakers_open')).toBe(0)
    expect(sockets.opened).toBeGreaterThan(opened)
    expect(await rig.metric('doubts_total')).toBe(1)
    expect(await rig.metric('boots_total')).toBe(2)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('half-open in an EndTxn: the commit stands, and the ledger tells', async ({ expect }) => {
    const sockets = createLossySockets()
    const rig = await startRig({ kafka: { ...kafka, socketFactory: sockets.socketFactory } })
    rig.sendSome(3)
    await rig.allAcked()
    const halfOpen = sockets.halfOpenNext(END_TXN)
    rig.sendSome(3)
    await halfOpen
    const since = performance.now()
    await rig.log.until((lines) => lines.find(says(MSG.doubt)))
    expect(performance.now() - since).toBeLessThan(REQUEST_TIMEOUT_MS + SLACK_MS)
    rig.sendSome(3)
    await rig.allAcked()
    expect(await rig.metric('doubts_total')).toBe(1)
    expect(await rig.metric('boots_total')).toBe(2)
    expect(await rig.metric('known_total')).toBeGreaterThanOrEqual(1)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('slow to answer: costs time and nothing else', async ({ expect }) => {
    const sockets = createLossySockets()
    const rig = await startRig({ kafka: { ...kafka, socketFactory: sockets.socketFactory } })
    rig.sendSome(3)
    await rig.allAcked()
    const holding = sockets.holdNext(PRODUCE)
    rig.sendSome(3)
    const held = await holding
    // The next batch is collected meanwhile.
    const ahead = rig.log.next(says(MSG.pulled))
    rig.sendSome(3)
    await ahead
    held.release()
    await rig.allAcked()
    expect(await rig.metric('doubts_total')).toBe(0)
    expect(await rig.metric('handed_back_total')).toBe(0)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })
})

describe('a topic', { concurrent: true }, () => {
  it('whose leaders all move while reports come in: at most one doubt a move', async ({
    expect,
  }) => {
    const rig = await startRig({ kafka })
    let posting = true
    let sent = 0
    const post = async () => {
      while (posting) {
        rig.send([0, 1, 2].map((p) => ({ key: keyFor(p), value: String(p) })))
        await rig.acked(++sent)
      }
    }
    const run = post()
    await rig.acked(2)
    for (const [partition, to] of [2, 3, 1].entries()) {
      await moveLeader(kafka, rig.shard.topic, partition, to)
      await rig.acked(sent)
    }
    posting = false
    await run
    expect(await rig.metric('doubts_total')).toBeLessThanOrEqual(3)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })

  it('that is deleted, and one that is made after its first envelope: only what is for them waits, without a doubt', async ({
    expect,
  }) => {
    const rig = await startRig({ kafka })
    const deleted = await createPlacedTopic(kafka, [1, 2, 3])
    const late = `late-${randomBytes(4).toString('hex')}`
    rig.sendSome(2, { topic: deleted })
    await rig.allAcked()
    await deleteTopic(kafka, deleted)
    // What was there is gone with it, and nobody's fault.
    rig.forget()
    rig.sendSome(2, { topic: deleted })
    rig.sendSome(2, { topic: late })
    rig.sendSome(2)
    await rig.acked(4)
    const places = await rig.log.until((lines) => {
      const found = new Map(
        lines.filter(says(MSG.blocked, 'topic_not_found')).map((l) => [l.place, l]),
      )
      return found.size === 2 && [...found.keys()]
    })
    expect(new Set(places)).toEqual(new Set([deleted, late]))
    expect(await rig.metric('topic_breakers_open')).toBe(2)

    await createPlacedTopic(kafka, [1, 2, 3], {}, late)
    await createPlacedTopic(kafka, [1, 2, 3], {}, deleted)
    await rig.allAcked()
    expect(await rig.metric('doubts_total')).toBe(0)
    expect(await rig.metric('topic_breakers_open')).toBe(0)
    await rig.stop()
    expect(await rig.problems()).toEqual([])
  })
})
