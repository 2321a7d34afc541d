import { describe, it } from 'vitest'
import {
  formatMessageId,
  formatPendingMessageId,
  parseMessageId,
  parsePendingMessageId,
  type Receipt,
} from '#contract'
import golden from './golden/message-ids.json' with { type: 'json' }

describe('a MessageId', () => {
  it('is written and read as ever', ({ expect }) => {
    const { fields, text } = golden.delivered
    expect(formatMessageId(fields)).toBe(text)
    expect(parseMessageId(text)).toEqual(fields)
  })

  it('of a report that is not yet in Kafka carries its receipt, and is no delivered one', ({
    expect,
  }) => {
    const { fields, receipt, text } = golden.pending
    expect(formatPendingMessageId(fields, receipt as Receipt)).toBe(text)
    expect(parseMessageId(text)).toBeUndefined()
    const { datahub, topic } = fields
    expect(parsePendingMessageId(text)).toEqual({ datahub, topic, receipt })
    expect(parsePendingMessageId(golden.delivered.text)).toBeUndefined()
  })

  it.for([
    '',
    'datahub-abcdefgh:t:1:2:1648185961342',
    'datahub-abcdefgh:t:1:2:1648185961342:1648185961398:x',
    'datahub-abcdefgh:t:-1:2:1648185961342:1648185961398',
    'datahub-ABCDEFGH:t:1:2:1648185961342:1648185961398',
    'datahub-abcdefgh:t/u:1:2:1648185961342:1648185961398',
  ])('%j is none', (text, { expect }) => {
    expect(parseMessageId(text)).toBeUndefined()
    expect(parsePendingMessageId(text)).toBeUndefined()
  })
})
