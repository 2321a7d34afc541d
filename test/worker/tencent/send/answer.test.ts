import { describe, it } from 'vitest'
import type { Outcome } from '#contract'
import { answerOfOutcome, answerOfPending } from '../../../../worker/tencent/send/answer.ts'
import { DATAHUB, ENVELOPE_ID, outcomeOf, receiptOf, RECEIVED } from '../fake-deps.ts'

async function accepted(count: number) {
  const receipt = await receiptOf(0, count)
  return { status: 'accepted', id: ENVELOPE_ID, received: RECEIVED, count, receipt } as const
}

describe('the answer', () => {
  it('to 500 delivered messages is one id each, in order', async ({ expect }) => {
    const answer = answerOfOutcome(await accepted(500), outcomeOf([[500, 3, '9007199254740993']]))
    const ids = answer.status === 'sent' ? answer.messageIds : []
    expect(ids).toHaveLength(500)
    expect(ids[499]).toBe(`${DATAHUB}:topicDev:3:9007199254741492:${RECEIVED}:${RECEIVED + 57}`)
  })

  it.for<[string, Outcome['runs'], number, string]>([
    [
      'some failed',
      [
        [2, 'record_too_large'],
        [1, 0, '5'],
        [1, 'record_too_large'],
        [1, 'invalid_record'],
      ],
      5,
      '4 of 5 messages failed, 1 were delivered: record_too_large (Message 0-1, 3), invalid_record (Message 4).',
    ],
    [
      'all failed',
      [[3, 'topic_not_found']],
      3,
      '3 of 3 messages failed, 0 were delivered: topic_not_found (Message 0-2).',
    ],
    [
      'the envelope could not even be counted',
      [[1, 'undecodable']],
      3,
      '3 of 3 messages failed, 0 were delivered: undecodable (Message 0).',
    ],
  ])(
    'when %s names counts, places, reasons and the receipt',
    async ([, runs, count, text], { expect }) => {
      const acceptance = await accepted(count)
      expect(answerOfOutcome(acceptance, outcomeOf(runs))).toEqual({
        status: 'failed',
        error: { code: 'FailedOperation', message: `${text} Receipt: ${acceptance.receipt}` },
      })
    },
  )

  it('without an outcome carries one receipt for each message', async ({ expect }) => {
    const receipts = await Promise.all([receiptOf(0, 1), receiptOf(1, 1)])
    const task = { datahub: DATAHUB, topic: 'topicDev' }
    const answer = answerOfPending(await accepted(2), task, receipts)
    expect(answer).toEqual({
      status: 'sent',
      messageIds: receipts.map((r) => `${DATAHUB}:topicDev:-1:-1:${RECEIVED}:0:${r}`),
    })
  })
})
