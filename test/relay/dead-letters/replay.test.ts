import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import { it, onTestFinished } from 'vitest'
import { formatPosition, type Letter, type Position } from '../../../relay/dead-letters/letter.ts'
import { replay } from '../../../relay/dead-letters/replay.ts'
import type { LetterTopic } from '../../../relay/dead-letters/topic.ts'

interface Asked {
  url: string | undefined
  headers: IncomingMessage['headers']
  body: string
}

type Handler = (asked: Asked, response: ServerResponse, nth: number) => void

const UNDECODABLE = 10

const letterOf = (n: number): Letter => ({
  position: { partition: 0, offset: BigInt(n) },
  failed: n,
  reason: n === UNDECODABLE ? 'undecodable' : 'record_too_large',
  datahub: 'datahub-testtest',
  key: null,
  value: Buffer.from(`v${n}`),
  headers: [],
})

// By the letter's offset, which its key ends in.
const offsetOf = ({ headers }: Asked) =>
  Number(String(headers['idempotency-key']).split('-').at(-1))

function accept(one: Asked, response: ServerResponse): void {
  const receipt = `receipt-of-${offsetOf(one)}`
  response.writeHead(202).end(JSON.stringify({ receipt, count: 1, status: 'queued' }))
}

function refuse(response: ServerResponse, status: number, type: string, retryAfter?: number): void {
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }
  const body = { type: `/problems/${type}`, detail: 'Because.' }
  response.writeHead(status, headers).end(JSON.stringify(body))
}

// A worker that answers as it is told, and a run against it over letters 0 … count−1.
async function start(count: number, handler: Handler, what: Position[] = []) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (text: string) => (body += text))
    request.on('end', () => {
      const { url, headers } = request
      const one = { url, headers, body }
      asked.push(one)
      handler(one, response, asked.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const pool = new Pool(`http://127.0.0.1:${port}`)
  onTestFinished(async () => {
    await pool.destroy()
    server.closeAllConnections()
    server.close()
  })

  const all = new Map(
    Array.from({ length: count }, (_, n) => letterOf(n)).map((l) => [
      formatPosition(l.position),
      l,
    ]),
  )
  const topic: Pick<LetterTopic, 'scan' | 'read'> = {
    scan: async (_since, visit) => {
      for (const letter of all.values()) visit(letter)
    },
    async *read(positions) {
      for (const { partition, offset } of positions) {
        const position = { partition, offset }
        const letter = all.get(formatPosition(position))
        yield letter ? { letter } : { position, why: 'it has expired' }
      }
    },
  }
  const lines: string[] = []
  const notes: string[] = []
  const slept: number[] = []
  const ok = await replay(
    topic,
    {
      what: what.length > 0 ? what : {},
      instance: 'ckafka-abcdefgh',
      waitSeconds: 0,
      sending: {
        pool,
        authorization: 'Basic abc',
        waitSeconds: 0,
        sleep: async (ms) => void slept.push(ms),
      },
    },
    { print: async (line) => void lines.push(line), note: (line) => void notes.push(line) },
  )
  return { ok, lines, notes, slept, asked }
}

it('sends four at once, and says what became of each in their order', async ({ expect }) => {
  const held: (() => void)[] = []
  let most = 0
  const { ok, lines, notes, asked } = await start(11, (one, response) => {
    held.push(() => accept(one, response))
    most = Math.max(most, held.length)
    // When there are as many as there can be, they are answered last first.
    if (held.length === 4 || offsetOf(one) === 9) {
      for (const answer of held.splice(0).toReversed()) answer()
    }
  })
  expect(most).toBe(4)
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ...Array.from({ length: 10 }, (_, n) => [`0:${n}`, 'queued', `receipt-of-${n}`]),
    ['0:10', 'not sent', 'it was no envelope, so there is no report in it'],
  ])
  expect(notes).toEqual(['10 queued, 1 not sent'])
  expect(ok).toBe(false)
  expect(asked[0]).toEqual({
    url: '/v1/datahubs/datahub-testtest/reports',
    headers: expect.objectContaining({
      authorization: 'Basic abc',
      'content-type': 'application/json',
      'idempotency-key': 'dead-letter-ckafka-abcdefgh-0-0',
    }),
    body: '{"reports":[{"value":"v0"}]}',
  })
})

it('a letter that is refused does not keep the others back', async ({ expect }) => {
  const { ok, lines } = await start(2, (one, response) => {
    if (offsetOf(one) === 0) refuse(response, 404, 'datahub-not-found')
    else accept(one, response)
  })
  expect(lines.map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
    ['0:0', 'not sent'],
    ['0:1', 'queued'],
  ])
  expect(lines[0]).toContain('404: Because.')
  expect(ok).toBe(false)
})

it('positions are replayed as given, and one without a letter is named', async ({ expect }) => {
  const what = [1, 7].map((n) => ({ partition: 0, offset: BigInt(n) }))
  const { ok, lines } = await start(3, accept, what)
  expect(lines).toEqual([
    '0:1       queued     receipt-of-1',
    '0:7       not sent   it has expired',
  ])
  expect(ok).toBe(false)
})

it.for([401, 403])('%i ends the run: no letter after it is sent', async (status, { expect }) => {
  const { ok, lines, notes, asked } = await start(9, (one, response) => {
    if (offsetOf(one) === 0) accept(one, response)
    else refuse(response, status, 'unauthenticated')
  })
  expect(lines).toEqual(['0:0       queued     receipt-of-0'])
  // Those that were under way with it.
  expect(asked.length).toBeLessThanOrEqual(6)
  expect(notes).toEqual([
    '1 queued',
    expect.stringMatching(/^Ended early, 8 letters left: .*credential.*\n.*sends none .* twice\.$/),
  ])
  expect(ok).toBe(false)
})

it('what may pass is tried again under the same key, after the time that was asked for', async ({
  expect,
}) => {
  const { ok, lines, slept, asked } = await start(1, (one, response, nth) => {
    if (nth === 1) refuse(response, 429, 'rate-limited', 7)
    else if (nth === 2) refuse(response, 503, 'not-confirmed')
    else if (nth === 3) response.destroy()
    else accept(one, response)
  })
  expect(lines).toEqual(['0:0       queued     receipt-of-0'])
  expect(slept).toEqual([7_000, 1_000, 2_000])
  expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  expect(new Set(asked.map(({ body }) => body)).size).toBe(1)
  expect(ok).toBe(true)
})

it.for<[string, Handler, tries: number, why: string]>([
  ['a worker that stays away', (_, response) => response.destroy(), 6, 'does not answer'],
  ['a worker that stays busy', (_, response) => refuse(response, 503, 'unavailable', 1), 6, '503'],
  [
    'a worker that wants an hour',
    (_, response) => refuse(response, 429, 'rate-limited', 3_600),
    1,
    '3600 s',
  ],
])('%s ends the run after bounded tries', async ([, handler, tries, why], { expect }) => {
  const { ok, notes, asked } = await start(1, handler)
  expect(asked).toHaveLength(tries)
  expect(notes.join('\n')).toContain('1 letter left')
  expect(notes.join('\n')).toContain(why)
  expect(ok).toBe(false)
})
