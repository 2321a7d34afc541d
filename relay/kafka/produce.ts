/**
 * The body of a Produce request, versions 3 to 8, around ready record batches: https://kafka.apache.org/protocol#The_Messages_Produce. One
 * buffer, each batch copied once.
 */

export interface ProduceTopic {
  topic: string
  partitions: readonly { partition: number; batch: Buffer }[]
}

export interface ProduceBody {
  transactionalId: string
  acks: number
  timeoutMs: number
  topics: readonly ProduceTopic[]
}

const INT16 = 2
const INT32 = 4

export function encodeProduce({ transactionalId, acks, timeoutMs, topics }: ProduceBody): Buffer {
  let size = INT16 + Buffer.byteLength(transactionalId) + INT16 + INT32 + INT32
  for (const { topic, partitions } of topics) {
    size += INT16 + Buffer.byteLength(topic) + INT32
    for (const { batch } of partitions) size += INT32 + INT32 + batch.length
  }
  const out = Buffer.allocUnsafe(size)
  let at = writeString(out, 0, transactionalId)
  at = out.writeInt16BE(acks, at)
  at = out.writeInt32BE(timeoutMs, at)
  at = out.writeInt32BE(topics.length, at)
  for (const { topic, partitions } of topics) {
    at = writeString(out, at, topic)
    at = out.writeInt32BE(partitions.length, at)
    for (const { partition, batch } of partitions) {
      at = out.writeInt32BE(partition, at)
      at = out.writeInt32BE(batch.length, at)
      at += batch.copy(out, at)
    }
  }
  return out
}

function writeString(out: Buffer, at: number, text: string): number {
  const length = out.write(text, at + INT16)
  return out.writeInt16BE(length, at) + length
}
