import { beforeAll, describe, inject, it } from 'vitest'
import { encodeEnvelope, envelopeIdOf, MAX_SEND_AGE_MS, type Envelope } from '#contract'
import { createLossySockets, END_TXN } from '../../support/lossy-socket.ts'
import { startShard } from '../../support/shard.ts'
import { run } from './run.ts'

const brokers = inject('brokers')
const LARGE = 'x'.repeat(5_000)
const MANY = 600

const settings = (instance: string) => ({
  INSTANCE_ID: instance,
  KAFKA_BROKERS: brokers.join(','),
})

interface Json {
  position: string
  offset: number
  failed: string
  [field: string]: unknown
}
const parse = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Json)

describe('letters of a relay', () => {
  let env: Record<string, string>
  let topic: string
  let large: Envelope
  let old: Envelope[]
  let json: Json[]

  beforeAll(async () => {
    const shard = await startShard({
      kafka: { brokers, clientId: 'dead-letters-test' },
      topicConfig: { 'max.message.bytes': '2000' },
    })
    topic = shard.topic
    env = settings(shard.instance)
    large = shard.pushEnvelope([{ key: 'k', value: LARGE, headers: { source: 'test' } }])
    shard.pushEnvelope([
      { value: 'small' },
      { base64: Buffer.alloc(3_000, 255).toString('base64') },
    ])
    await shard.acked(2)
    shard.push('{"not": "an envelope', { messageId: 'a'.repeat(32) })
    await shard.acked(3)
    // Too old to be sent.
    old = [0, 1].map((n) => {
      const id = new Uint8Array(12)
      id[11] = n
      const records = Array.from({ length: MANY / 2 }, (_, i) => ({ key: `k${i}`, value: `${n}` }))
      return {
        v: 1,
        id: envelopeIdOf(id),
        datahub: 'datahub-otherone',
        topic: 'some-topic',
        received: Date.now() - MAX_SEND_AGE_MS - 60_000,
        records,
      }
    })
    for (const envelope of old) shard.push(encodeEnvelope(envelope))
    await shard.acked(5)
    await shard.stop()
    json = parse((await run('list --json --limit 1000', env)).lines)
  })

  it('list --json has everything in it, newest last', ({ expect }) => {
    expect(json).toHaveLength(3 + MANY)
    expect(json.map(({ failed }) => failed)).toEqual(json.map(({ failed }) => failed).toSorted())
    expect(json[0]).toEqual({
      position: '0:0',
      failed: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      received: new Date(large.received).toISOString(),
      reason: 'record_too_large',
      datahub: 'datahub-testtest',
      topic,
      id: `${large.id}.0`,
      key: 'k',
      value: LARGE,
      headers: { source: 'test' },
    })
    expect(json[1]).toMatchObject({
      key: null,
      base64: Buffer.alloc(3_000, 255).toString('base64'),
    })
    expect(json[2]).toMatchObject({
      reason: 'undecodable',
      messageId: 'a'.repeat(32),
      key: 'a'.repeat(32),
      value: '{"not": "an envelope',
      headers: {},
    })
    const expected = old.flatMap((e) => Array.from({ length: MANY / 2 }, (_, i) => `${e.id}.${i}`))
    expect(json.slice(3).map(({ id }) => id)).toEqual(expected)
  })

  it('list shows the newest on one line each, and says how many more there are', async ({
    expect,
  }) => {
    const { code, lines, stderr } = await run('list --limit 2', env)
    expect(code).toBe(0)
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(
      /^position +failed +reason +datahub +topic +receipt or id +key +bytes$/,
    )
    const last = json.at(-1)
    const cells = lines[2]?.split(/ {2,}/)
    expect(cells).toEqual([
      ...[last?.position, last?.failed, 'attempts_exhausted', 'datahub-otherone', 'some-topic'],
      ...[last?.['id'], `"${String(last?.['key'])}"`, '5'],
    ])
    expect(stderr).toContain(`Older letters that match too: ${MANY + 1}.`)
  })

  it('list filters by reason, datahub, topic and time', async ({ expect }) => {
    const positions = async (flags: string) =>
      parse((await run(`list --json --limit 1000 ${flags}`, env)).lines).map((l) => l.position)
    const where = (is: (letter: Json) => boolean) => json.filter(is).map((l) => l.position)
    expect(await positions('--reason undecodable')).toEqual(
      where((l) => l['reason'] === 'undecodable'),
    )
    expect(await positions(`--topic ${topic}`)).toEqual(where((l) => l['topic'] === topic))
    const [first = '', mark = ''] = [json[0]?.failed, json[2]?.failed]
    expect(await positions(`--since ${mark}`)).toEqual(where((l) => l.failed >= mark))
    expect(await positions(`--since ${first} --until ${first}`)).toEqual(
      where((l) => l.failed === first),
    )
    const nothing = await run('list --datahub datahub-nowhere0', env)
    expect([nothing.code, nothing.stdout, nothing.stderr]).toEqual([0, '', 'No letter matches.\n'])
  })

  it('show prints whole letters, in the order asked for', async ({ expect }) => {
    const [report, bytes, raw] = json.map(({ position }) => position)
    const { code, stdout } = await run(`show ${raw} ${report} ${bytes}`, env)
    expect(code).toBe(0)
    const places = [raw, report, bytes].map((position) => `${position}\n  failed `)
    expect(
      stdout.split(/^(?=\d+:\d+\n)/m).map((part, i) => part.startsWith(places[i] ?? '')),
    ).toEqual([true, true, true])
    expect(stdout).toContain(`  value       5000 bytes of text:\n${LARGE}\n`)
    expect(stdout).toContain('  header      source: test\n')
    expect(stdout).toContain(`  message id  ${'a'.repeat(32)}\n`)
    expect(parse((await run(`show ${report} --json`, env)).lines)).toEqual([json[0]])
  })

  it('positions without a letter are named with the reason, and the others shown', async ({
    expect,
  }) => {
    // One marker for each partition of a transaction: between these two letters there is one.
    const marker = Number(json[2]?.position.slice(2)) - 1
    const { code, lines, stderr } = await run(`show 0:0 0:${marker} 0:99999 7:0`, env)
    expect([code, lines[0]]).toEqual([1, '0:0'])
    expect(stderr).toContain(`0:${marker}: no letter is there`)
    expect(stderr).toMatch(/0:99999: the partition ends before offset \d+/)
    expect(stderr).toContain('7:0: there is no partition 7')
  })

  it('replay --dry-run says what would be sent and needs no worker', async ({ expect }) => {
    const { code, lines, stderr } = await run('replay --all --dry-run --until 2099-01-01', env)
    expect(lines).toHaveLength(3 + MANY)
    expect(lines[0]).toMatch(
      /^0:0 +would be sent +POST \/v1\/datahubs\/datahub-testtest\/reports +key "k", value of 5000 bytes, headers \{"source":"test"\}$/,
    )
    expect(lines.filter((line) => line.includes('not sent'))).toEqual([
      expect.stringContaining('it was no envelope'),
    ])
    expect(stderr).toBe(`${MANY + 2} would be sent, 1 not sent\n`)
    expect(code).toBe(1)
  })
})

it('a letter of an aborted transaction is none: the one that was committed after it is shown alone', async ({
  expect,
}) => {
  const sockets = createLossySockets()
  const shard = await startShard({
    kafka: { brokers, clientId: 'aborted-letter-test', socketFactory: sockets.socketFactory },
    topicConfig: { 'max.message.bytes': '2000' },
  })
  await shard.booted
  const lost = sockets.loseNext('request', END_TXN)
  const { id } = shard.pushEnvelope([{ value: LARGE }])
  await lost
  await shard.acked(1)
  await shard.stop()

  const letters = parse((await run('list --json', settings(shard.instance))).lines)
  expect(letters.map((letter) => letter['id'])).toEqual([`${id}.0`])
  expect(letters[0]?.position).not.toBe('0:0')
  const aborted = await run('show 0:0', settings(shard.instance))
  expect([aborted.code, aborted.stderr]).toEqual([1, expect.stringContaining('an aborted one')])
})

describe('what keeps it from working is said in a sentence', () => {
  const other = settings('ckafka-nobody00')
  it.for<[string, string, Record<string, string>, code: number, ...said: string[]]>([
    ['no command', '--json', other, 2, 'a command is needed', '--help'],
    ['no settings', 'list', {}, 78, 'INSTANCE_ID', 'KAFKA_BROKERS', '--dev'],
    ['no worker to send to', 'replay 0:1', other, 78, 'EDGEHUB_URL', 'EDGEHUB_SECRET_KEY'],
    ['no stack', 'list --dev /no/such/state', {}, 78, '/no/such/state/dev.json'],
    ['no topic', 'list', other, 1, 'There is no topic edgehub-ckafka-nobody00-dead-letters'],
    [
      'no cluster',
      'list',
      { ...other, KAFKA_BROKERS: '127.0.0.1:1' },
      1,
      "Kafka can't be reached at 127.0.0.1:1",
    ],
  ])('%s', async ([, line, env, code, ...said], { expect }) => {
    const ran = await run(line, env)
    expect(ran).toMatchObject({ code, stdout: '' })
    for (const text of said) expect(ran.stderr).toContain(text)
    expect(ran.stderr).not.toMatch(/^ +at /m)
  })
})
