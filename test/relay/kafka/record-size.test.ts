import * as fc from 'fast-check'
import { it } from 'vitest'
import { EnvelopeId, type Envelope, type EnvelopeRecord } from '#contract'
import { encodeBatch } from '../../../relay/kafka/record-batch.ts'
import { toMessage } from '../../../relay/placement.ts'
import { recordBatchBytes, surelyFits } from '../../../worker/record-size.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 400 })
const headers = fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1 }), text, {
  maxKeys: 32,
  noNullPrototype: true,
})
const value = fc.oneof(
  fc.record({ value: text }),
  fc.record({
    base64: fc.uint8Array({ maxLength: 400 }).map((b) => Buffer.from(b).toString('base64')),
  }),
  fc.constant({}),
)
const record: fc.Arbitrary<EnvelopeRecord> = fc
  .tuple(fc.record({ key: text, headers }, { requiredKeys: [] }), value)
  .map(([head, body]) => ({ ...head, ...body }))

it('the edge counts exactly the bytes that the relay makes of one report alone', async ({
  expect,
}) => {
  await fc.assert(
    fc.asyncProperty(
      record,
      fc.nat({ max: 499 }),
      fc.option(fc.stringMatching(/^00-[0-9a-f]{32}$/), { nil: undefined }),
      async (report, index, traceparent) => {
        const id = EnvelopeId.parse('AAECAwQFBgcICQoL')
        const envelope: Envelope = {
          v: 1,
          id,
          datahub: 'datahub-abcdefgh',
          topic: 't',
          received: 1_790_000_000_000,
          ...(traceparent === undefined ? {} : { traceparent }),
          records: [report],
        }
        const message = toMessage(envelope, report, index)
        const head = { producerId: '1', producerEpoch: 0, firstSequence: 0 }
        const batch = await encodeBatch([message], head)
        const bytes = recordBatchBytes(report, { id, index, traceparent })
        expect(bytes).toBe(batch.length)
        expect(surelyFits(report, bytes - 1)).toBe(false)
      },
    ),
  )
})
