/**
 * The receipt: what a client holds after an accept. 32 bytes as 43 base64url characters:
 *
 *     6 accept time (ms; the top 4 bits are the version, 0) | 12 envelope id | 2 index of its first report | 2 count
 *     | 4 body digest (0 when the POST had no idempotency key) | 6 HMAC-SHA256 over all before
 *
 * It is handed out only after the queue took the envelope, so one that a client holds proves a durable accept. No I/O, no clock.
 */
import { fromBase64url, toBase64url } from './base64url.ts'
import { envelopeIdOf, idBytes, type EnvelopeId } from './envelope-id.ts'
import type { BodyDigest } from './envelope.ts'

export type Receipt = string & { readonly __receipt: unique symbol }

/** A Web Crypto HMAC key; the name of its type differs between the two runtimes. */
export type ReceiptKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export interface ReceiptFields {
  /** Unix ms, below 2^44. */
  accepted: number
  id: EnvelopeId
  /** Index in the envelope of the first report that this receipt is for. */
  index: number
  count: number
  digest?: BodyDigest
}

const RECEIPT_BYTES = 32
const SIGNED_BYTES = 26
const MAX_ACCEPTED = 2 ** 44

/** `secret`: as the setting has it. */
export async function importReceiptKey(secret: string): Promise<ReceiptKey> {
  return crypto.subtle.importKey(
    'raw',
    new TextEncoder().encode(secret),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  )
}

/** @throws RangeError for fields that don't fit */
export async function mintReceipt(fields: ReceiptFields, key: ReceiptKey): Promise<Receipt> {
  const { accepted, index, count } = fields
  if (
    !(
      accepted >= 0 &&
      accepted < MAX_ACCEPTED &&
      index >= 0 &&
      index < 65_536 &&
      count > 0 &&
      count < 65_536
    )
  ) {
    throw new RangeError(`receipt fields out of range: ${accepted} ${index} ${count}`)
  }
  const bytes = new Uint8Array(RECEIPT_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, Math.floor(accepted / 2 ** 32))
  view.setUint32(2, accepted % 2 ** 32)
  bytes.set(idBytes(fields.id), 6)
  view.setUint16(18, index)
  view.setUint16(20, count)
  view.setUint32(22, fields.digest ? Number.parseInt(fields.digest, 16) : 0)
  bytes.set(await mac(bytes, key), SIGNED_BYTES)
  return toBase64url(bytes) as Receipt
}

/** The fields, or undefined when no key signed this text. With two keys, rotation loses no receipt. */
export async function openReceipt(
  text: string,
  keys: readonly ReceiptKey[],
): Promise<ReceiptFields | undefined> {
  const bytes = fromBase64url(text, RECEIPT_BYTES)
  if (!bytes) return undefined
  let valid = false
  for (const key of keys) valid ||= equal(await mac(bytes, key), bytes.subarray(SIGNED_BYTES))
  const view = new DataView(bytes.buffer)
  const high = view.getUint16(0)
  if (!valid || high >= 2 ** 12) return undefined
  const digest = view.getUint32(22)
  return {
    accepted: high * 2 ** 32 + view.getUint32(2),
    id: envelopeIdOf(bytes.subarray(6, 18)),
    index: view.getUint16(18),
    count: view.getUint16(20),
    ...(digest === 0 ? {} : { digest: digest.toString(16).padStart(8, '0') }),
  }
}

async function mac(bytes: Uint8Array<ArrayBuffer>, key: ReceiptKey): Promise<Uint8Array> {
  const full = await crypto.subtle.sign('HMAC', key, bytes.slice(0, SIGNED_BYTES))
  return new Uint8Array(full, 0, RECEIPT_BYTES - SIGNED_BYTES)
}

/** Without an early exit: the time says nothing about where two MACs differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0)
  return difference === 0
}
