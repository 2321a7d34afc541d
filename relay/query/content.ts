/** A record of a batch as the link tells it. Pure. */
import { isUtf8 } from 'node:buffer'
import type { StoredRecord } from '#contract'
import type { BatchRecord } from '../kafka/read-batch.ts'

/** Bytes of key, value and headers. */
export function contentBytes({ key, value, headers }: BatchRecord): number {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) bytes += header.name.length + (header.value?.length ?? 0)
  return bytes
}

export function listedRecord(partition: number, record: BatchRecord): StoredRecord {
  const { offset, timestamp } = record
  return { partition, offset: `${offset}`, timestamp, bytes: contentBytes(record) }
}

export function wholeRecord(partition: number, record: BatchRecord): StoredRecord {
  const { key, value, headers } = record
  const keyText = textOf(key)
  const valueText = textOf(value)
  return {
    ...listedRecord(partition, record),
    ...(keyText === undefined ? { keyBase64: base64Of(key) } : { key: keyText }),
    ...(valueText === undefined ? { base64: base64Of(value) } : { value: valueText }),
    headers: headers.map((header) => {
      // Kafka calls it a text, and nothing makes a producer keep to that.
      const name = header.name.toString()
      const text = textOf(header.value)
      return text === undefined ? { name, base64: base64Of(header.value) } : { name, value: text }
    }),
  }
}

/** Undefined for bytes that are no UTF-8. */
function textOf(bytes: Buffer | null): string | null | undefined {
  if (bytes === null) return null
  return isUtf8(bytes) ? bytes.toString() : undefined
}

const base64Of = (bytes: Buffer | null): string => bytes?.toString('base64') ?? ''

/** What it takes in a frame: text with many control characters or quotes is several times larger in JSON. */
export function frameBytes(record: StoredRecord): number {
  return Buffer.byteLength(JSON.stringify(record))
}
