/** One answer with several records, as far as they fit into it. Pure. */
import { MAX_LIST_BYTES, type StoredRecord } from '#contract'
import type { BatchRecord } from '../kafka/read-batch.ts'
import { contentBytes, frameBytes, listedRecord, wholeRecord } from './content.ts'

export interface PageLimits {
  records: number
  /** Decoded; only what is listed with its content counts. */
  bytes?: number
  /** All of them in JSON. */
  frameBytes: number
}

export interface Page {
  readonly records: readonly StoredRecord[]
  /** It takes no more, whatever comes. */
  readonly isFull: boolean
  /** False: this record does not fit any more, and the page ends before it. */
  add(partition: number, record: BatchRecord): boolean
}

export function createPage(
  withValues: boolean,
  { records: most, bytes: maxBytes = MAX_LIST_BYTES, frameBytes: maxFrameBytes }: PageLimits,
): Page {
  const records: StoredRecord[] = []
  let bytes = 0
  let frame = 0
  return {
    records,
    get isFull() {
      return records.length >= most
    },
    add(partition, record) {
      if (records.length >= most) return false
      if (!withValues) {
        records.push(listedRecord(partition, record))
        return true
      }
      // A record that is too large for any page would end each one before it: it is listed without its content, as the only one of its.
      const fits = contentBytes(record) <= maxBytes - bytes
      const whole = fits ? wholeRecord(partition, record) : undefined
      const size = whole ? frameBytes(whole) + 1 : Number.POSITIVE_INFINITY
      if (whole && size <= maxFrameBytes - frame) {
        records.push(whole)
        bytes += whole.bytes
        frame += size
        return true
      }
      if (records.length > 0) return false
      records.push(listedRecord(partition, record))
      return true
    },
  }
}
