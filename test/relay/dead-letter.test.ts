import { describe, it } from 'vitest'
import { MAX_UNAVAILABLE_MS } from '#contract'
import { Code } from '../../relay/kafka/codes.ts'
import { envelopeOf, idOf, NOW } from '../support/items.ts'
import type { LaneScript } from '../support/lane-double.ts'
import {
  doubtOf,
  gone,
  idsOf,
  keyed,
  keyFor,
  LETTERS,
  makeShard,
  sendable,
} from '../support/transactions.ts'

const MINUTE_MS = 60_000

describe('what has waited too long', () => {
  it.for<[string, number, number, boolean]>([
    ['a young one whose topic fails for long waits on', MAX_UNAVAILABLE_MS - 1, 99, false],
    ['an old one whose topic fails only for minutes waits on', MAX_UNAVAILABLE_MS, 14, false],
    ['an old one whose topic fails for long is given up', MAX_UNAVAILABLE_MS, 15, true],
  ])('%s', async ([, age, minutes, givenUp], { expect }) => {
    const { send, time, letters } = makeShard({ topology: new Map([['topic', gone(3)]]) })
    const old = sendable(1, [{ value: 'a' }, { value: 'b' }], { received: NOW - age })
    expect(idsOf(await send([old])).blocked).toEqual([idOf(1)])
    time.clock = minutes * MINUTE_MS
    const delivered = await send([old])
    expect(idsOf(delivered)).toEqual(
      givenUp ? { sent: [idOf(1)], blocked: [] } : { sent: [], blocked: [idOf(1)] },
    )
    expect(letters().map(({ value }) => value?.toString())).toEqual(givenUp ? ['a', 'b'] : [])
    if (givenUp) expect(delivered.outcomes[0]?.[1].runs).toEqual([[2, 'topic_not_found']])
  })

  it.for([
    [Code.TOPIC_AUTHORIZATION_FAILED, 'not_authorized'],
    [Code.LEADER_NOT_AVAILABLE, 'attempts_exhausted'],
  ] as const)('for code %i it fails as %s', async ([code, reason], { expect }) => {
    const { send, time } = makeShard({ topology: new Map([['topic', gone(code)]]) })
    const old = sendable(1, undefined, { received: NOW - MAX_UNAVAILABLE_MS })
    await send([old])
    time.clock = 15 * MINUTE_MS
    expect((await send([old])).outcomes[0]?.[1].runs).toEqual([[1, reason]])
  })

  it('for a partition that ADD refuses is given up in the same transaction that sends the rest', async ({
    expect,
  }) => {
    const { send, time, letters } = makeShard({ addRefuses: { 'topic/1': 29 } })
    const received = NOW - MAX_UNAVAILABLE_MS
    await send([sendable(1, keyed(1), { received })])
    time.clock = 15 * MINUTE_MS
    const delivered = await send([sendable(1, keyed(0, 1), { received }), sendable(2, keyed(0))])
    expect(delivered.outcomes.map(([id, { runs }]) => [id, runs])).toEqual([
      [idOf(2), [[1, 0, '0']]],
      [idOf(1), [[2, 'not_authorized']]],
    ])
    expect(letters()).toHaveLength(2)
  })
})

describe('dead letters', () => {
  const refuse: LaneScript['resultOf'] = ({ topic, messages }, at) =>
    topic === 'topic' && messages[at]?.value?.toString() === 'bad'
      ? { status: 'refused', reason: 'record_too_large' }
      : undefined

  it('hold what a broker refused, with its own key and headers, why, and the receipt that the client has', async ({
    expect,
  }) => {
    const { send, lane, letters } = makeShard({ resultOf: refuse })
    const delivered = await send([
      sendable(1, [{ value: 'good' }, { key: keyFor(0), value: 'bad', headers: { h: 'x' } }], {
        receipt: 'the receipt',
      }),
      sendable(2, [{ value: 'bad' }]),
    ])
    expect(delivered.outcomes.map(([, { runs }]) => runs)).toEqual([
      [
        [1, 0, '0'],
        [1, 'record_too_large'],
      ],
      [[1, 'record_too_large']],
    ])
    expect(lane.calls.slice(-5)).toEqual([
      'append topic/0×2,topic/1×1',
      'add dead-letters/0',
      'append dead-letters/0×2',
      'append ledger/0×1',
      'commit',
    ])
    const [first, second] = letters()
    expect(first).toEqual({
      key: Buffer.from(keyFor(0)),
      value: 'bad',
      headers: {
        h: 'x',
        'edgehub-id': `${idOf(1)}.1`,
        'edgehub-datahub': 'datahub-testtest',
        'edgehub-topic': 'topic',
        'edgehub-receipt': 'the receipt',
        'edgehub-reason': 'record_too_large',
        'edgehub-received': String(NOW),
        'edgehub-failed': String(NOW),
      },
      timestamp: NOW,
    })
    expect(second?.headers).not.toHaveProperty('edgehub-receipt')
  })

  it('hold what is doomed, also what has no records left, and raw messages under their queue id', async ({
    expect,
  }) => {
    const { send, letters, records, lane } = makeShard()
    const records1 = [{ value: 'a' }, { value: 'b' }]
    const delivered = await send([], {
      doomed: [
        {
          envelope: envelopeOf(1, records1),
          records: records1,
          count: 2,
          reason: 'attempts_exhausted',
        },
        { envelope: envelopeOf(2), count: 3, reason: 'envelope_lost' },
      ],
      raw: [
        {
          messageId: 'm1',
          body: Buffer.from('{'),
          reason: 'undecodable' as const,
          problem: 'not JSON',
        },
      ],
    })
    expect(delivered.outcomes.map(([id, { runs }]) => [id, runs])).toEqual([
      [idOf(1), [[2, 'attempts_exhausted']]],
      [idOf(2), [[3, 'envelope_lost']]],
    ])
    expect(records()).toEqual([{ v: 1, batch: delivered.outcomes, raw: ['m1'] }])
    expect(letters().map(({ key, value }) => [key?.toString(), value?.toString()])).toEqual([
      [undefined, 'a'],
      [undefined, 'b'],
      [undefined, undefined],
      ['m1', '{'],
    ])
    expect(letters().at(-1)?.headers).toMatchObject({
      'edgehub-message-id': 'm1',
      'edgehub-reason': 'undecodable',
      'edgehub-problem': 'not JSON',
    })
    expect(lane.calls).toContain('add ledger/0')
  })

  it('of raw messages alone need no outcome', async ({ expect }) => {
    const { send, records } = makeShard()
    const raw = [
      {
        messageId: 'm1',
        body: Buffer.from('{'),
        reason: 'undecodable' as const,
        problem: 'not JSON',
      },
    ]
    expect(await send([], { raw })).toMatchObject({ outcomes: [], blocked: [] })
    expect(records()).toEqual([{ v: 1, batch: [], raw: ['m1'] }])
  })

  it.for<[string, LaneScript]>([
    ['as a topic', { addRefuses: { 'dead-letters/0': 29 }, resultOf: refuse }],
    [
      'as a record',
      {
        resultOf: (append, at) =>
          append.topic === LETTERS.topic && at === 1
            ? { status: 'refused', reason: 'invalid_record' }
            : refuse(append, at),
      },
    ],
  ])(
    'that are refused %s are a doubt, and no envelope is to blame',
    async ([, script], { expect }) => {
      const { send, lane, breakers } = makeShard(script)
      const error = await doubtOf(send([sendable(1, [{ value: 'bad' }, { value: 'bad' }])]))
      expect(error).toMatchObject({ name: 'Doubt', step: 'dead letters', partitions: [] })
      expect(lane.committed).toEqual([])
      expect(breakers.open).toBe(0)
    },
  )
})
