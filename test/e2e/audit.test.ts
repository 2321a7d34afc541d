import { randomBytes } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import {
  encodeLedgerRecord,
  envelopeIdOf,
  InstanceId,
  ledgerTopic,
  type EnvelopeId,
  type Outcome,
} from '#contract'
import type { DevJson } from '../../dev/dev-json.ts'
import { LOCAL_QUEUES } from '../../dev/queue-pull/queues.ts'
import type { Append } from '../../relay/kafka/append.ts'
import { createAdmin } from '../../relay/kafka/kafkajs.ts'
import { Lane } from '../../relay/kafka/lane.ts'
import { connectTo, openTopic } from '../../relay/operator/topic.ts'
import { isDrained, startRecording, type Recording } from '../history/index.ts'
import { run } from '../relay/audit/run.ts'
import { accept, finalReceipt, pauseQueues, type ReportInput } from '../support/api.ts'
import { makeDatahub, makeTopic, MESSAGE_LIMIT, setTopicConfig } from '../support/datahubs.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const brokers = inject('brokers')
const KAFKA = { brokers, clientId: 'audit-e2e' }
const POSTS = 12
const LARGE = 'x'.repeat(5_000)
// Of each POST one is too large for its topic.
const REPORTS: ReportInput[] = [{ key: 'k1', value: 'a' }, { value: LARGE }, { json: { a: 1 } }]
const DELIVERED = POSTS * 2
const FAILED = POSTS

let stack: TestStack
let dev: DevJson
let recording: Recording
let from: string

beforeAll(async () => {
  // Never again after the beginning.
  stack = await startStack({ brokers, env: { TARGET_CHECK_MS: '3600000' } })
  dev = await makeShrunkDatahub(`audit-${randomBytes(4).toString('hex')}`)
  from = new Date().toISOString()
  recording = await startRecording(dev, { bodies: true })
  for (let n = 0; n < POSTS; n++) await post()
})
afterAll(async () => {
  await stack.stop()
})

async function post(): Promise<string> {
  const { receipt } = await accept(dev, REPORTS)
  recording.accepted(receipt, REPORTS)
  return receipt
}

// The edge goes on taking what the topic does not any more: it is not told.
async function makeShrunkDatahub(topic: string): Promise<DevJson> {
  await makeTopic(brokers, { topic })
  const made = await makeDatahub(stack.dev, topic)
  await setTopicConfig(brokers, topic, { [MESSAGE_LIMIT]: '2000' })
  await refusesLarge(topic)
  return made
}

// Asks the leaders of all partitions, in transactions that leave nothing.
async function refusesLarge(topic: string): Promise<void> {
  const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer({
    transactionalId: `audit-probe-${topic}`,
    maxInFlightRequests: 1,
    idempotent: true,
    retry: { retries: 1 },
  })
  await producer.connect()
  for (let partition = 0; partition < 3;) {
    const transaction = await producer.transaction()
    const isRefused = await transaction
      .send({ topic, messages: [{ partition, value: LARGE }] })
      .then(
        () => false,
        () => true,
      )
    await transaction.abort()
    if (isRefused) partition++
  }
  await producer.disconnect()
}

interface Json {
  accepted: number
  delivered: number
  failed: number
  queued: number
  differs: boolean
  details: {
    delivered: Record<string, number>
    queued: Record<string, unknown>
    store: Record<string, unknown>
    differences: { id: string; what: string; where: string }[]
  }
  cannotProve: string[]
}

const flags = () => `--datahub ${dev.datahubId} --from ${from}`
async function auditJson(env?: Record<string, string>): Promise<Json & { code: number | null }> {
  const { code, stdout, stderr } = await run(
    `${flags()} --json${env ? '' : ` --dev ${stack.state}`}`,
    env,
  )
  if (stdout === '') throw new Error(`${code}: ${stderr}`)
  return { code, ...(JSON.parse(stdout) as Json) }
}

type Message = Append['messages'][number]

// A transaction of somebody who is no relay.
async function forge(topic: string, partition: number, message: Message): Promise<bigint> {
  const lane = await Lane.open({
    kafka: KAFKA,
    transactionalId: `audit-test-${randomBytes(4).toString('hex')}`,
    ledgerTopic: ledgerTopic(InstanceId.parse(dev.instanceId)),
    transactionTimeoutMs: 15_000,
    minInSyncReplicas: 2,
  })
  try {
    await lane.topology([topic])
    await lane.add([{ topic, partition }])
    const [results] = await lane.append([{ topic, partition, messages: [message] }])
    await lane.commit()
    const [result] = results ?? []
    if (result?.status !== 'stored') throw new Error(JSON.stringify(result))
    return result.offset
  } finally {
    await lane.close()
  }
}

const forgeRecord = (partition: number, report: string) =>
  forge(dev.topic, partition, {
    key: null,
    value: Buffer.from('forged'),
    headers: { 'edgehub-id': report },
    timestamp: Date.now(),
  })

const forgeEntry = (id: EnvelopeId, runs: Outcome['runs']) =>
  forge(ledgerTopic(InstanceId.parse(dev.instanceId)), 0, {
    key: null,
    value: Buffer.from(
      encodeLedgerRecord({
        v: 1,
        batch: [
          [
            id,
            {
              datahub: dev.datahubId,
              topic: dev.topic,
              received: Date.now(),
              sent: Date.now(),
              runs,
            },
          ],
        ],
      }),
    ),
    timestamp: Date.now(),
  })

// Where it is told that the log begins, by a reader that had begun before it.
async function expiredFrom(name: string, partition: number, end: bigint): Promise<bigint[]> {
  const cluster = await connectTo(KAFKA)
  try {
    const topic = await openTopic(cluster, name)
    const told: bigint[] = []
    const range = { partition, from: 0n, through: end - 1n }
    await topic?.read(range, () => {}, { onExpired: (start) => told.push(start) })
    return told
  } finally {
    await cluster.disconnect()
  }
}

describe('what is right adds up', () => {
  it('to the report: accepted = delivered + failed + queued, on one line', async ({ expect }) => {
    expect(await recording.conclude({ timeoutMs: 60_000 })).toEqual([])
    const { code, stdout, stderr } = await run(`${flags()} --dev ${stack.state}`)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.split('\n')).toContain(
      `accepted ${POSTS * 3} = delivered ${DELIVERED} + failed ${FAILED} + queued 0`,
    )
    expect(stdout).toMatch(new RegExp(`compared with their receipts +${POSTS}\n`))
    expect(stdout).toContain(
      "Can't prove:\n- What the worker has accepted and the local queue lost",
    )
  })

  it('with the relay’s own variables, and says what it was not told how to ask', async ({
    expect,
  }) => {
    await expect.poll(() => isDrained(dev), { timeout: 60_000 }).toBe(true)
    const reading = { INSTANCE_ID: dev.instanceId, KAFKA_BROKERS: dev.kafka }
    const queues = LOCAL_QUEUES.slice(0, dev.queues.length)
    const all = await auditJson({
      ...reading,
      WORKER_URL: dev.api,
      RELAY_TOKEN: dev.relayToken,
      QUEUE_API_URL: dev.queueApi,
      QUEUE_API_TOKEN: dev.queueToken,
      ACCOUNT_ID: dev.accountId,
      QUEUE_IDS: queues.map(({ id }) => id).join(','),
      DEAD_LETTER_QUEUE_IDS: queues.map(({ deadLetter }) => deadLetter.id).join(','),
    })
    expect(all).toMatchObject({
      code: 0,
      accepted: POSTS * 3,
      delivered: DELIVERED,
      failed: FAILED,
      queued: 0,
      details: {
        queued: { status: 'messages', messages: 0 },
        store: { status: 'checked', found: POSTS },
      },
    })
    const little = await auditJson(reading)
    expect(little).toMatchObject({
      code: 0,
      accepted: POSTS * 3,
      details: { queued: { status: 'not checked' }, store: { status: 'not checked' } },
    })
    expect(little.cannotProve.join('\n')).toContain('set WORKER_URL and RELAY_TOKEN')
  })

  it('what waits in a queue is queued, and delivered later', async ({ expect }) => {
    await pauseQueues(dev, true)
    const receipts = [await post(), await post()]
    const waiting = async () => (await auditJson()).queued
    // Miniflare's own queue hands it on in its time.
    await expect.poll(waiting, { timeout: 60_000 }).toBe(6)
    await pauseQueues(dev, false)
    for (const receipt of receipts) await finalReceipt(dev, receipt)
    const { code, queued, accepted } = await auditJson()
    expect({ code, queued, accepted }).toEqual({ code: 0, queued: 0, accepted: (POSTS + 2) * 3 })
  })
})

describe('what is wrong is found', () => {
  it('a record that is there twice, and one that nobody sent', async ({ expect }) => {
    const [record] = recording.history.records
    if (!record) throw new Error('a record')
    const second = await forgeRecord(record.partition, record.report)
    const stranger = `${envelopeIdOf(randomBytes(12))}.0`
    const offset = await forgeRecord(2, stranger)
    const { code, details } = await auditJson()
    expect(code).toBe(1)
    expect(details.differences).toEqual([
      {
        id: record.report,
        what: 'record doubled',
        where: `${dev.topic}/${record.partition}/${second}; the ledger says ${dev.topic}/${record.partition}/${record.offset}`,
      },
      { id: stranger, what: 'record without a ledger entry', where: `${dev.topic}/2/${offset}` },
    ])
    await recording.read()
    expect(recording.check().map(({ name, id }) => ({ name, id }))).toEqual([
      { name: 'doubled record', id: record.report },
      { name: 'record without a ledger entry', id: stranger },
    ])
  })

  it('a ledger entry for records that do not exist', async ({ expect }) => {
    const id = envelopeIdOf(randomBytes(12))
    await forgeEntry(id, [[2, 1, '888888']])
    const { code, stdout } = await run(`${flags()} --dev ${stack.state} --limit 3`)
    expect(code).toBe(1)
    const lines = stdout.split('\n').map((line) => line.split(/ {2,}/))
    expect(lines.filter(([first]) => first === id)).toEqual([
      [
        id,
        'record missing',
        `the ledger says ${dev.topic}/1/888888 to 888889, for reports 0 to 1; there is nothing`,
      ],
    ])
    expect(stdout).toMatch(/^5 differences, 3 envelopes:$/m)
    expect(stdout).toMatch(/^and 2 more; --limit or --json shows them$/m)
    expect(stdout).toMatch(/ \+ not accounted for 2$/m)
    await recording.read()
    const found = recording.check().filter((violation) => violation.id.startsWith(id))
    expect(found.map(({ name }) => name)).toEqual([
      'never accepted',
      'ledger entry without a record',
      'ledger entry without a record',
    ])
  })

  it('records that were deleted can not be proved any more', async ({ expect }) => {
    const admin = createAdmin(KAFKA)
    await admin.connect()
    const ends = await admin.fetchTopicOffsets(dev.topic)
    const [first] = ends.filter(({ high }) => Number(high) > 0)
    if (!first) throw new Error('a partition with records')
    const { partition, high: end } = first
    await admin.deleteTopicRecords({
      topic: dev.topic,
      partitions: [{ partition, offset: end }],
    })
    await admin.disconnect()
    const deleted = recording.history.records.filter(
      (r) => r.partition === partition && r.value !== 'forged',
    )
    const { details, delivered, cannotProve } = await auditJson()
    expect(await expiredFrom(dev.topic, partition, BigInt(end))).toEqual([BigInt(end)])
    expect(delivered).toBe(DELIVERED + 4)
    expect(details.delivered['unprovable']).toBe(deleted.length)
    expect(cannotProve.join('\n')).toContain('records were deleted')
  })
})
