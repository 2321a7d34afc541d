import { describe, it } from 'vitest'
import { formatCursor } from '../../../worker/query/cursor.ts'
import { parseMessageQuery } from '../../../worker/query/message-query.ts'

const parse = (query: string) => parseMessageQuery(new URLSearchParams(query))

describe('the parameters of GET /v1/messages', () => {
  it.for([
    ['messageId=x', { kind: 'id', messageId: 'x' }],
    ['topic=t&partition=3&offset=007', { kind: 'one', topic: 't', partition: 3, offset: '7' }],
    [
      'topic=t&partition=0&offset=9223372036854775807&limit=100',
      { kind: 'by_offset', topic: 't', partition: 0, offset: '9223372036854775807', limit: 100 },
    ],
    ['topic=t&from=0', { kind: 'by_time', topic: 't', from: 0, limit: 20 }],
    [
      'topic=t&from=1790000000123&partition=2&limit=1',
      { kind: 'by_time', topic: 't', from: 1_790_000_000_123, partition: 2, limit: 1 },
    ],
    [
      'topic=t&from=2026-09-21T14:13:20.5Z',
      { kind: 'by_time', topic: 't', from: 1_790_000_000_500, limit: 20 },
    ],
    [
      'topic=t&from=2026-09-21T16:13:20%2B02:00',
      { kind: 'by_time', topic: 't', from: 1_790_000_000_000, limit: 20 },
    ],
  ] as const)('%s', ([query, expected], { expect }) => {
    expect(parse(query)).toEqual({ status: 'ok', query: expected })
  })

  it.for([
    ['', 'missing', 'topic'],
    ['topic=t', 'missing', 'from'],
    ['topic=t&offset=1', 'missing', 'partition'],
    ['topic=t&partition=1', 'missing', 'from'],
    ['topic=t&from=0&offset=1&partition=1', 'invalid_value', 'from'],
    ['topic=t&topic=u&from=0', 'invalid_value', 'topic'],
    ['topic=t&from=0&form=1', 'unknown_field', 'form'],
    ['messageId=x&topic=t', 'invalid_value', 'messageId'],
    ['topic=t&offset=1&partition=x', 'invalid_value', 'partition'],
    ['topic=t&offset=1&partition=2147483648', 'invalid_value', 'partition'],
    ['topic=t&offset=1&partition=-1', 'invalid_value', 'partition'],
    ['topic=t&offset=-1&partition=1', 'invalid_value', 'offset'],
    ['topic=t&offset=&partition=1', 'invalid_value', 'offset'],
    ['topic=t&offset=x&partition=1', 'invalid_value', 'offset'],
    ['topic=t&offset=9223372036854775808&partition=1', 'invalid_value', 'offset'],
    ['topic=t&from=0&limit=0', 'invalid_value', 'limit'],
    ['topic=t&from=0&limit=101', 'invalid_value', 'limit'],
    ['topic=t&from=yesterday', 'invalid_value', 'from'],
    ['topic=t&from=2026-02-30T05:00:00Z', 'invalid_value', 'from'],
    ['topic=t&from=2026-09-21T14:13:20', 'invalid_value', 'from'],
    ['topic=t&from=2026-09-21', 'invalid_value', 'from'],
    ['topic=t&from=1969-12-31T23:59:59Z', 'invalid_value', 'from'],
    ['topic=t&from=2026-09-21T16:13:20+02:00', 'invalid_value', 'from'],
  ] as const)('%s is refused', ([query, reason, path], { expect }) => {
    expect(parse(query)).toMatchObject({ status: 'rejected', rejection: { reason, path } })
  })

  it('says which other ways to ask there are, where one begins to', ({ expect }) => {
    const hint = 'Give messageId alone, or topic, partition and offset, or topic and from.'
    for (const query of ['', 'topic=t', 'topic=t&offset=1']) {
      expect(parse(query)).toMatchObject({ rejection: { reason: 'missing', hint } })
    }
  })

  it('name the limits', ({ expect }) => {
    expect(parse('topic=t&offset=9223372036854775808&partition=1')).toMatchObject({
      rejection: { problem: 'a whole number from 0 to 9223372036854775807 is expected.' },
    })
    expect(parse('topic=t&from=0&limit=101')).toMatchObject({
      rejection: { problem: 'a whole number from 1 to 100 is expected.' },
    })
  })
})

describe('a cursor', () => {
  const next = Array.from({ length: 50 }, (_, partition) => ({
    partition,
    offset: '9223372036854775807',
  }))

  it('goes round', ({ expect }) => {
    const cursor = formatCursor('t', next)
    expect(cursor).toMatch(/^[\w-]+$/)
    expect(parse(`topic=t&from=5&cursor=${cursor}`)).toMatchObject({ query: { from: 5, next } })
  })

  it('takes the place of the offset it began at', ({ expect }) => {
    const cursor = formatCursor('t', [{ partition: 3, offset: '40' }])
    expect(parse(`topic=t&partition=3&offset=20&limit=20&cursor=${cursor}`)).toMatchObject({
      query: { kind: 'by_offset', offset: '40' },
    })
  })

  const text = (json: string) => btoa(json).replace(/=+$/, '')
  it.for([
    ['nothing', ''],
    ['no base64', '%25'],
    ['no JSON', text('x')],
    ['of another version', text('[2,"t",[[0,"1"]]]')],
    ['of another topic', formatCursor('u', next)],
    ['without a place', text('[1,"t",[]]')],
    ['with a number for an offset', text('[1,"t",[[0,1]]]')],
    ['with a partition below 0', text('[1,"t",[[-1,"1"]]]')],
    ['with more', text('[1,"t",[[0,"1"]],0]')],
  ])('%s is refused', ([, cursor], { expect }) => {
    const rejected = { status: 'rejected', rejection: { reason: 'invalid_cursor' } }
    expect(parse(`topic=t&from=0&cursor=${cursor}`)).toEqual(rejected)
  })

  it('of all partitions is none of one, and the other way round does no harm', ({ expect }) => {
    const rejected = { status: 'rejected', rejection: { reason: 'invalid_cursor' } }
    expect(parse(`topic=t&from=0&partition=0&cursor=${formatCursor('t', next)}`)).toEqual(rejected)
    const other = formatCursor('t', [{ partition: 1, offset: '1' }])
    expect(parse(`topic=t&from=0&partition=0&cursor=${other}`)).toEqual(rejected)
  })
})
