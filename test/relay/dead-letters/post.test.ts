import { describe, it } from 'vitest'
import { judge, type Verdict } from '../../../relay/dead-letters/answer.ts'
import type { Letter } from '../../../relay/dead-letters/letter.ts'
import { toPost } from '../../../relay/dead-letters/post.ts'
import { rangesOf, windowsOf, type Sized } from '../../../relay/dead-letters/windows.ts'
import { parseIdempotencyKey } from '../../../worker/idempotency-key.ts'

const INSTANCE = 'ckafka-abcdefgh'
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const LETTER: Letter = {
  position: { partition: 1, offset: 12n },
  failed: 1,
  reason: 'record_too_large',
  datahub: 'datahub-testtest',
  key: Buffer.from('k1'),
  value: Buffer.from('v1'),
  headers: [],
}

describe('toPost', () => {
  it('is one report to the datahub of the letter, under a key made of its position', ({
    expect,
  }) => {
    const result = toPost({ ...LETTER, headers: [['source', 'web']] }, INSTANCE, 10)
    expect(result).toEqual({
      status: 'ok',
      post: {
        path: '/v1/datahubs/datahub-testtest/reports',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': 'dead-letter-ckafka-abcdefgh-1-12',
          prefer: 'wait=10',
        },
        body: '{"reports":[{"key":"k1","value":"v1","headers":{"source":"web"}}]}',
      },
    })
  })

  it('its key is one that the worker takes', ({ expect }) => {
    const result = toPost(LETTER, INSTANCE, 0)
    const key = result.status === 'ok' ? result.post.headers['idempotency-key'] : undefined
    expect(parseIdempotencyKey(key ?? null)).toEqual({ status: 'ok', value: key })
  })

  it.for<[string, Partial<Letter>, report: unknown, headers?: Record<string, string>]>([
    ['no key, no value', { key: null, value: null }, {}],
    ['an empty key and value', { key: Buffer.of(), value: Buffer.of() }, { key: '', value: '' }],
    ['bytes', { value: Buffer.from([0, 255]) }, { key: 'k1', base64: 'AP8=' }],
    [
      'a byte order mark',
      { value: Buffer.from([0xef, 0xbb, 0xbf, 0x61]) },
      { key: 'k1', value: '\ufeffa' },
    ],
    [
      'a traceparent of the POST goes as one',
      { headers: [['traceparent', TRACE]] },
      { key: 'k1', value: 'v1' },
      { traceparent: TRACE },
    ],
    [
      'a traceparent that the worker would ignore stays a header of the report',
      { headers: [['traceparent', 'mine']] },
      { key: 'k1', value: 'v1', headers: { traceparent: 'mine' } },
    ],
  ])('%s', ([, change, report, headers = {}], { expect }) => {
    const result = toPost({ ...LETTER, ...change }, INSTANCE, 0)
    const post = result.status === 'ok' ? result.post : undefined
    expect(JSON.parse(post?.body ?? '')).toEqual({ reports: [report] })
    const { 'content-type': _, 'idempotency-key': __, ...others } = post?.headers ?? {}
    expect(others).toEqual(headers)
  })

  it.for<[string, Partial<Letter>, string]>([
    ['no envelope', { reason: 'undecodable' }, 'no envelope'],
    ['lost records', { reason: 'envelope_lost', key: null, value: null }, 'lost'],
    ['a key of bytes', { key: Buffer.from([255]) }, 'key'],
  ])('%s can’t be sent again', ([, change, why], { expect }) => {
    const result = toPost({ ...LETTER, ...change }, INSTANCE, 0)
    expect(result.status === 'impossible' && result.why).toContain(why)
  })

  it('neither can what names no datahub', ({ expect }) => {
    const { datahub: _, ...letter } = LETTER
    expect(toPost(letter, INSTANCE, 0).status).toBe('impossible')
  })
})

describe('judge', () => {
  const RECEIPT = 'AaDEUGwAAAECAwQFBgcICQoLAAAAAwAAAABYM7zJRVQ'
  const receipt = (status: string, message?: object) =>
    JSON.stringify({ receipt: RECEIPT, count: 1, status, ...(message && { messages: [message] }) })
  const problem = (type: string) => JSON.stringify({ type: `/problems/${type}`, detail: 'Why.' })
  const delivered = receipt('delivered', { status: 'delivered', messageId: 'm1' })
  const failed = receipt('failed', { status: 'failed', reason: 'record_too_large' })
  const replayed = { 'idempotent-replayed': 'true' }

  const table: [string, number, string, Record<string, string>, Partial<Verdict>][] = [
    ['queued', 202, receipt('queued'), {}, { status: 'queued', receipt: RECEIPT }],
    ['delivered', 200, delivered, {}, { status: 'delivered', messageId: 'm1', before: false }],
    ['delivered before', 200, delivered, replayed, { status: 'delivered', before: true }],
    ['failed', 200, failed, {}, { status: 'failed', reason: 'record_too_large', before: false }],
    ['failed before', 200, failed, replayed, { status: 'failed', before: true }],
    ['datahub gone', 404, problem('datahub-not-found'), {}, { status: 'refused' }],
    ['another address', 404, '<html>', {}, { status: 'stop' }],
    ['a route that is not there', 404, problem('route-not-found'), {}, { status: 'stop' }],
    ['wrong credential', 401, problem('unauthenticated'), {}, { status: 'stop' }],
    ['no scope', 403, problem('forbidden'), {}, { status: 'stop' }],
    ['a worker without keys', 400, problem('invalid-header'), {}, { status: 'stop' }],
    ['suspended', 409, problem('task-not-running'), {}, { status: 'refused', why: '409: Why.' }],
    ['too large', 413, problem('body-too-large'), {}, { status: 'refused' }],
    ['key of another body', 422, problem('idempotency-key-reused'), {}, { status: 'refused' }],
    ['a redirection', 302, '', {}, { status: 'stop' }],
    ['200 of something else', 200, '<html>', {}, { status: 'stop' }],
    ['rate', 429, '', { 'retry-after': '7' }, { status: 'again', afterMs: 7_000 }],
    ['unavailable', 503, problem('unavailable'), {}, { status: 'again', afterMs: undefined }],
    ['a date to wait for', 503, '', { 'retry-after': 'Mon, 21 Sep' }, { afterMs: undefined }],
    ['a fault', 500, problem('internal'), {}, { status: 'again' }],
  ]
  it.for(table)('%s', ([, status, body, headers, expected], { expect }) => {
    expect(judge({ status, body, header: (name) => headers[name] })).toMatchObject(expected)
  })
})

describe('windows', () => {
  const at = (offset: number, bytes?: number, partition = 0): Sized => ({
    partition,
    offset: BigInt(offset),
    ...(bytes === undefined ? {} : { bytes }),
  })
  const offsets = (positions: Iterable<Sized>) =>
    [...windowsOf(positions)].map((window) => window.map(({ offset }) => Number(offset)))

  it('hold some 16 MB or 500 letters, in the order given, and at least one', ({ expect }) => {
    expect(offsets([])).toEqual([])
    expect(offsets([at(3, 9_000_000), at(1, 9_000_000), at(2, 1)])).toEqual([[3], [1, 2]])
    expect(offsets([at(1, 99_000_000), at(2, 1)])).toEqual([[1], [2]])
    expect(offsets(Array.from({ length: 20 }, (_, i) => at(i))).map((w) => w.length)).toEqual([
      16, 4,
    ])
    const small = Array.from({ length: 501 }, (_, i) => at(i, 1))
    expect(offsets(small).map((w) => w.length)).toEqual([500, 1])
  })

  it('are read in ranges without long gaps', ({ expect }) => {
    const ranges = rangesOf([at(5), at(1), at(2, 1, 1), at(205), at(406), at(900)])
    expect(ranges.map(({ partition, from, through }) => `${partition}:${from}-${through}`)).toEqual(
      ['0:1-205', '0:406-406', '0:900-900', '1:2-2'],
    )
  })
})
