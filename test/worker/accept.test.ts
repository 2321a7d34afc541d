import { describe, it } from 'vitest'
import {
  CLAIM_CHECK_BYTES,
  claimObjectName,
  envelopeIdOf,
  importReceiptKey,
  openReceipt,
  shardOf,
  type EnvelopeRecords,
  type ShardCount,
} from '#contract'
import { createAccept, type AcceptDeps } from '../../worker/accept.ts'
import type { LogEntry } from '../../worker/log.ts'
import type { Task, TaskStatus } from '../../worker/registry/directory.ts'
import { envelopeOf, latch } from './support/client.ts'

const NOW = 1_790_000_000_000
const task: Task = {
  datahub: 'datahub-abcdefgh',
  taskId: 'task-abcdefgh',
  name: 'orders',
  instance: 'ckafka-devlocal',
  topic: 'orders',
  status: 1,
  qpsLimit: 2_000,
}
const records: EnvelopeRecords = [{ key: 'k', value: 'hello' }, {}]
const never = new Promise<never>(() => {})

async function makeDeps(more: Partial<AcceptDeps> = {}) {
  const calls: string[] = []
  const sent: { shard: number; text: string; options: unknown }[] = []
  const objects = new Map<string, string>()
  const logged: LogEntry[] = []
  const key = await importReceiptKey('k')
  const deps: AcceptDeps = {
    shards: 8,
    async send(shard, text) {
      calls.push('send')
      sent.push({ shard, text, options: {} })
    },
    async putObject(name, bytes) {
      calls.push('put')
      objects.set(name, new TextDecoder().decode(bytes))
    },
    async receiptKey() {
      calls.push('receipt')
      return key
    },
    now: () => NOW,
    randomBytes: (length) => new Uint8Array(length).fill(13),
    rateLimit: { take: () => true },
    log: (entry) => logged.push(entry),
    tryLimitMs: 5,
    ...more,
  }
  return { deps, calls, sent, objects, logged, key }
}

describe('accept', () => {
  it('sends one envelope to the shard of its id and answers with its receipt', async ({
    expect,
  }) => {
    for (const shards of [1, 2, 4, 8] satisfies ShardCount[]) {
      const { deps, sent, key } = await makeDeps({ shards })
      const accepted = await createAccept(deps)({ task, path: 'reports', records })
      if (accepted.status !== 'accepted') throw new Error('rejected')
      expect(accepted).toMatchObject({ received: NOW, count: 2 })
      expect(sent).toHaveLength(1)
      expect(sent[0]?.shard).toBe(shardOf(accepted.id, shards))
      expect(envelopeOf(sent[0])).toEqual({
        v: 1,
        id: accepted.id,
        datahub: task.datahub,
        topic: task.topic,
        received: NOW,
        receipt: accepted.receipt,
        records,
      })
      const fields = { accepted: NOW, id: accepted.id, index: 0, count: 2 }
      expect(await openReceipt(accepted.receipt, [key])).toEqual(fields)
    }
  })

  it('hands out the receipt of the envelope only after the send has resolved', async ({
    expect,
  }) => {
    const sending = latch()
    const begun = latch<string>()
    const { deps, calls } = await makeDeps({
      send: (_, text) => {
        begun.open(text)
        return sending.promise
      },
      tryLimitMs: 60_000,
    })
    const accepting = createAccept(deps)({ task, path: 'reports', records })
    void accepting.then(({ status }) => calls.push(status))
    const { receipt } = envelopeOf({ shard: 0, text: await begun.promise, options: {} })
    expect(receipt).toMatch(/^[\w-]{43}$/)
    expect(calls).toEqual(['receipt'])
    sending.open()
    expect(await accepting).toMatchObject({ status: 'accepted', receipt })
    expect(calls).toEqual(['receipt', 'accepted'])
  })

  it('sends nothing when no receipt can be minted', async ({ expect }) => {
    const { deps, calls } = await makeDeps({
      receiptKey: () => Promise.reject(new Error('no key')),
    })
    await expect(createAccept(deps)({ task, path: 'reports', records })).rejects.toThrow('no key')
    expect(calls).toEqual([])
  })

  it.for([
    ['small', [{ value: 'x' }]],
    ['large', [{ value: 'x'.repeat(100_000) }]],
  ] as [string, EnvelopeRecords][])(
    'takes the id and the digest of a keyed POST into a %s envelope and its receipt',
    async ([, given], { expect }) => {
      const { deps, sent, objects, key } = await makeDeps()
      const id = envelopeIdOf(new Uint8Array(12).fill(200))
      const keyed = { id, digest: '0a1b2c3d' }
      const accepted = await createAccept(deps)({ task, path: 'reports', records: given, keyed })
      if (accepted.status !== 'accepted') throw new Error('rejected')
      const { receipt } = accepted
      expect(accepted).toMatchObject(keyed)
      expect(envelopeOf(sent[0])).toMatchObject({ ...keyed, receipt })
      expect(sent[0]?.shard).toBe(shardOf(id, 8))
      for (const name of objects.keys()) expect(name.startsWith(`${id}-`)).toBe(true)
      const fields = { accepted: NOW, index: 0, count: 1, ...keyed }
      expect(await openReceipt(receipt, [key])).toEqual(fields)
    },
  )

  it('counts the receipt where it decides that an envelope is too large', async ({ expect }) => {
    for (const [more, form] of [
      [0, 'records'],
      [1, 'claim'],
    ] as const) {
      const probe = await makeDeps()
      await createAccept(probe.deps)({ task, path: 'reports', records: [{ value: '' }] })
      const room = CLAIM_CHECK_BYTES - (probe.sent[0]?.text.length ?? 0)
      const { deps, sent } = await makeDeps()
      await createAccept(deps)({
        task,
        path: 'reports',
        records: [{ value: 'x'.repeat(room + more) }],
      })
      expect(envelopeOf(sent[0])).toHaveProperty(form)
    }
  })

  it('repeats a failed send once, with the same id', async ({ expect }) => {
    const texts: string[] = []
    const { deps } = await makeDeps({
      async send(_, text) {
        texts.push(text)
        if (texts.length === 1) throw new Error('Internal Server Error')
      },
    })
    expect((await createAccept(deps)({ task, path: 'reports', records })).status).toBe('accepted')
    expect(texts).toHaveLength(2)
    expect(texts[0]).toBe(texts[1])
  })

  it.for([
    ['fails', () => Promise.reject(new Error('overloaded'))],
    ['hangs', () => never],
  ] as const)(
    'is not confirmed and hands out nothing when the send %s twice',
    async ([, send], { expect }) => {
      const { deps, logged } = await makeDeps({ send })
      expect(await createAccept(deps)({ task, path: 'reports', records })).toEqual({
        status: 'rejected',
        rejection: { reason: 'not_confirmed', keyed: false },
      })
      expect(logged.map((entry) => entry['tries'])).toEqual([1, 2])
    },
  )

  it('puts the records of a large envelope first and sends the claim', async ({ expect }) => {
    const large: EnvelopeRecords = [{ value: 'ü'.repeat(50_000) }]
    const { deps, calls, sent, objects } = await makeDeps()
    const accepted = await createAccept(deps)({
      task,
      path: 'reports',
      records: large,
      traceparent: 't',
    })
    if (accepted.status !== 'accepted') throw new Error('rejected')
    expect(calls).toEqual(['receipt', 'put', 'send'])
    const [[name, text] = ['', '']] = objects
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
    expect(name).toBe(claimObjectName(accepted.id, new Uint8Array(digest).toHex()))
    expect(JSON.parse(text)).toEqual(large)
    expect(envelopeOf(sent[0])).toEqual({
      v: 1,
      id: accepted.id,
      datahub: task.datahub,
      topic: task.topic,
      received: NOW,
      traceparent: 't',
      receipt: accepted.receipt,
      claim: { object: name, bytes: new TextEncoder().encode(text).length, count: 1 },
    })
  })

  it('sends nothing when the object can not be put, and keeps the object when the send fails', async ({
    expect,
  }) => {
    const large: EnvelopeRecords = [{ value: 'x'.repeat(96_000) }]
    const noPut = await makeDeps({ putObject: () => Promise.reject(new Error('R2 is away')) })
    const keyed = { id: envelopeIdOf(new Uint8Array(12)), digest: '0a1b2c3d' }
    const rejected = await createAccept(noPut.deps)({
      task,
      path: 'reports',
      records: large,
      keyed,
    })
    expect(rejected).toEqual({
      status: 'rejected',
      rejection: { reason: 'not_confirmed', keyed: true },
    })
    expect(noPut.calls).not.toContain('send')

    const noSend = await makeDeps({ send: () => Promise.reject(new Error('overloaded')) })
    await createAccept(noSend.deps)({ task, path: 'reports', records: large })
    expect(noSend.objects.size).toBe(1)
  })

  it.for<TaskStatus>([-1, 0, 2, 3, 5, 6, 9])(
    'refuses a task of status %i',
    async (status, { expect }) => {
      const { deps, calls } = await makeDeps()
      expect(
        await createAccept(deps)({ path: 'reports', task: { ...task, status }, records }),
      ).toEqual({
        status: 'rejected',
        rejection: { reason: 'task_not_running', datahub: task.datahub, status },
      })
      expect(calls).toEqual([])
    },
  )

  it('asks first whether the task runs, then for its share of a second, then whether the reports fit', async ({
    expect,
  }) => {
    const asked: unknown[] = []
    const allowing = (allowed: boolean) => ({
      take: (...call: unknown[]) => (asked.push(call), allowed),
    })
    const schema = {
      schemaId: 'schema-abcdefgh',
      name: 'orders',
      fields: [{ name: 'id', type: 'INT64', allowNull: false } as const],
    }
    const checked = { ...task, qpsLimit: 7, schema }
    const refusalOf = async (given: Task, allowed: boolean) => {
      const { deps, calls } = await makeDeps({ rateLimit: allowing(allowed) })
      const accept = createAccept(deps)
      const refused = await accept({ path: 'Message', valueName: 'Body', task: given, records })
      expect(calls).toEqual([])
      return refused.status === 'rejected' ? refused.rejection : refused
    }

    expect(await refusalOf({ ...checked, status: 6 }, false)).toMatchObject({
      reason: 'task_not_running',
    })
    expect(asked).toEqual([])
    expect(await refusalOf(checked, false)).toEqual({
      reason: 'datahub_rate_limited',
      datahub: task.datahub,
      perSecond: 7,
    })
    expect(asked).toEqual([[task.datahub, 7]])
    expect(await refusalOf({ ...checked, maxMessageBytes: 1 }, true)).toEqual({
      reason: 'schema_mismatch',
      path: 'Message.0.Body',
      problem: 'must be a JSON object',
    })
  })

  it('takes reports for a task that is resuming', async ({ expect }) => {
    const { deps } = await makeDeps()
    const resuming = { ...task, status: 8 } as const
    const taken = await createAccept(deps)({ path: 'reports', task: resuming, records })
    expect(taken.status).toBe('accepted')
  })

  it('measures reports against their topic with the defaults of their schema', async ({
    expect,
  }) => {
    const { deps } = await makeDeps()
    const field = {
      name: 'd',
      type: 'STRING',
      allowNull: true,
      default: 'x'.repeat(1_000),
    } as const
    const schema = { schemaId: 'schema-abcdefgh', name: 'orders', fields: [field] }
    const small = { ...task, schema, maxMessageBytes: 1_000 }
    const accept = createAccept(deps)
    const given = { path: 'reports', records: [{ value: '{}' }] }
    expect(await accept({ ...given, task: small })).toMatchObject({
      rejection: { reason: 'report_too_large', path: 'reports.0' },
    })
    const large = { ...small, maxMessageBytes: 1_200 }
    expect((await accept({ ...given, task: large })).status).toBe('accepted')
  })

  it('refuses a report that its topic would refuse, by its place and with the limit, and sends nothing', async ({
    expect,
  }) => {
    const { deps, calls } = await makeDeps()
    const accept = createAccept(deps)
    const small = { ...task, maxMessageBytes: 1_000 }
    const big = [{ value: 'a' }, { value: 'b'.repeat(1_000) }]
    const refused = await accept({ task: small, path: 'reports', records: big })
    expect(refused).toEqual({
      status: 'rejected',
      rejection: {
        reason: 'report_too_large',
        path: 'reports.1',
        topic: 'orders',
        bytes: expect.any(Number),
        limit: 1_000,
      },
    })
    expect(calls).toEqual([])
    const { rejection } = refused as { rejection: { bytes: number } }
    const fits = { ...task, maxMessageBytes: rejection.bytes }
    const taken = await accept({ task: fits, path: 'reports', records: big })
    expect(taken.status).toBe('accepted')
  })
})
