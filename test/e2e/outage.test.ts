import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'vitest'
import { parseMessageId } from '#contract'
import { startKafka } from '../../dev/kafka/cluster.ts'
import { sendWithNode } from '../sdk/node.ts'
import { accept, finalReceipt, getReceipt, type ReceiptBody } from '../support/api.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { startStack } from '../support/stack.ts'

it(
  'while Kafka is away reports are accepted and stay queued, SendMessage answers within its hold, and all arrives when Kafka is back',
  { timeout: 240_000 },
  async ({ expect }) => {
    const dir = await mkdtemp(join(tmpdir(), 'edgehub-test-outage-'))
    const kafka = await startKafka({ dir, brokers: 1, quickFailover: true })
    const stack = await startStack({ brokers: kafka.brokers })
    const { dev } = stack
    try {
      const [node] = kafka.nodes
      await node?.kill()

      const accepted: ReceiptBody[] = []
      for (let n = 0; n < 20; n++) accepted.push(await accept(dev, [{ value: `rest ${n}` }]))
      const began = performance.now()
      const held = await sendWithNode({
        endpoint: new URL(dev.api).host,
        secretId: dev.secretId,
        secretKey: dev.secretKey,
        datahub: dev.datahubId,
        messages: [{ Body: 'sdk 0' }, { Body: 'sdk 1' }],
      })
      // Its hold is 10 s; a client that waits for ever is what this must never cause.
      expect(performance.now() - began).toBeLessThan(25_000)
      if (!('messageIds' in held)) throw new Error(JSON.stringify(held))
      const pending = held.messageIds.map(
        (id) => /^(datahub-[a-z0-9]{8}):demo:-1:-1:\d{13}:0:([\w-]{43})$/.exec(id)?.[2] ?? '',
      )
      expect(pending.every((receipt) => receipt.length === 43)).toBe(true)
      for (const { receipt } of accepted) {
        expect((await getReceipt(dev, receipt)).status).toBe('queued')
      }

      await node?.start()
      const finals = [...accepted.map(({ receipt }) => receipt), ...pending].map((receipt) =>
        finalReceipt(dev, receipt),
      )
      const messages = (await Promise.all(finals)).map((final) => {
        expect(final).toMatchObject({ count: 1, status: 'delivered' })
        return parseMessageId(final.messages?.[0]?.messageId ?? '')
      })
      const records = await readTopic({ brokers: kafka.brokers, topic: dev.topic })
      const valueAt = (partition = -1, offset = '') =>
        records
          .find((r) => r.partition === partition && r.offset === Number(offset))
          ?.value?.toString()
      expect(records).toHaveLength(22)
      expect(messages.map((m) => valueAt(m?.partition, m?.offset))).toEqual([
        ...Array.from({ length: 20 }, (_, n) => `rest ${n}`),
        'sdk 0',
        'sdk 1',
      ])
    } finally {
      await stack.stop()
      await kafka.kill()
      await rm(dir, { recursive: true, force: true })
    }
  },
)
