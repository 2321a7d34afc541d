/** Java's partitioner for keyed records, so that a key lands where every other Kafka client would put it. Pure. */

const SEED = 0x9747b28c
const M = 0x5bd1e995

/** Murmur2 as in org.apache.kafka.common.utils.Utils.murmur2, a signed 32-bit number. */
export function murmur2(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const length = data.length
  let h = SEED ^ length
  let i = 0
  for (; i + 4 <= length; i += 4) {
    let k = Math.imul(view.getInt32(i, true), M)
    k = Math.imul(k ^ (k >>> 24), M)
    h = Math.imul(h, M) ^ k
  }
  const rest = length - i
  if (rest >= 3) h ^= view.getUint8(i + 2) << 16
  if (rest >= 2) h ^= view.getUint8(i + 1) << 8
  if (rest >= 1) h = Math.imul(h ^ view.getUint8(i), M)
  h = Math.imul(h ^ (h >>> 13), M)
  return h ^ (h >>> 15)
}

/** Partition of a keyed record: `toPositive(murmur2(key)) % partitions`. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
