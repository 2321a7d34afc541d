/** What is sent: the same reports for the relay and for the plain producer. */
import { encodeEnvelope, envelopeIdOf, ENVELOPE_ID_BYTES, type EnvelopeId } from '#contract'
import { localQueueName } from '../../dev/queue-pull/queues.ts'

export const VALUE_BYTES = 300
export const PARTITIONS = 3
export const ACKS = -1

const HEAD = '{"device":"sensor-0042","at":1764000000000,"celsius":21.53,"ok":true,"note":"'
const TAIL = '"}'
export const VALUE = `${HEAD}${'x'.repeat(VALUE_BYTES - HEAD.length - TAIL.length)}${TAIL}`

/** The first fifth is not measured: both sides start with cold code. */
export const warmUpOf = (reports: number): number => Math.floor(reports / 5)

export interface Post {
  id: EnvelopeId
  shard: number
  reports: number
  body: string
}

/** All reports as queue messages, the shards in turn; the last one may be smaller. */
export function* posts(load: {
  topic: string
  shards: number
  post: number
  reports: number
  received: number
}): Generator<Post> {
  const { topic, shards, post, received } = load
  for (let n = 0, left = load.reports; left > 0; n++) {
    const reports = Math.min(post, left)
    left -= reports
    const shard = n % shards
    const id = idOf(n, shard)
    const records = Array.from({ length: reports }, () => ({ value: VALUE }))
    const body = encodeEnvelope({ v: 1, id, datahub: 'datahub-benchben', topic, received, records })
    yield { id, shard, reports, body }
  }
}

/** The first byte says the shard, for every number of shards in use. */
export function idOf(n: number, shard: number): EnvelopeId {
  const bytes = new DataView(new ArrayBuffer(ENVELOPE_ID_BYTES))
  bytes.setUint8(0, shard)
  bytes.setUint8(1, n & 0xff)
  bytes.setUint32(8, n)
  return envelopeIdOf(new Uint8Array(bytes.buffer))
}

const TRICKLE_EVERY_MS = 20
const TRICKLE_REPORTS = 10

/** A light load for as long as it takes: 50 POSTs a second, the shards in turn. */
export function startTrickle(options: {
  topic: string
  shards: number
  push(queue: string, body: string): unknown
}): { end(): void } {
  const { topic, shards, push } = options
  const endless = posts({
    topic,
    shards,
    post: TRICKLE_REPORTS,
    reports: Number.POSITIVE_INFINITY,
    received: Date.now(),
  })
  const timer = setInterval(() => {
    const { value } = endless.next()
    if (value) push(localQueueName(value.shard), value.body)
  }, TRICKLE_EVERY_MS)
  return { end: () => clearInterval(timer) }
}
