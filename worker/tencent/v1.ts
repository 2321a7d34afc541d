/**
 * Verifies a signature v1 (HmacSHA1, HmacSHA256) over the decoded parameters. It knows no actions, looks no credential up and reads no
 * clock. The method's own weakness stays: the text that is signed joins decoded names and values with `&` and `=`, so whoever sees a
 * signed request can cut the same text differently. TC3 has no such doubt; SDKs have used it by default since 2019.
 */
import type { Pair } from './pairs.ts'
import {
  createKeptKeys,
  importHmacKey,
  timeOf,
  utf8,
  type CheckOptions,
  type SignatureCheck,
} from './signature.ts'
import { hostCandidates, uriCandidates, type SignedRequest } from './signed-request.ts'

const METHODS = {
  HmacSHA1: { hash: 'SHA-1', bytes: 20 },
  HmacSHA256: { hash: 'SHA-256', bytes: 32 },
} as const

/** By secret and method. */
const importedKeys = createKeptKeys()

/**
 * `pairs` are all parameters of the request, decoded, with no name twice. Every refusal is a value; nothing that a client can send makes
 * it throw.
 */
export async function checkV1Signature(
  request: Pick<SignedRequest, 'method' | 'rawPath' | 'headers'>,
  pairs: readonly Pair[],
  { secretKeys, now, hostAliases }: Omit<CheckOptions, 'unsignedPayload'>,
): Promise<SignatureCheck> {
  const valueOf = (name: string): string => pairs.find(([n]) => n === name)?.[1] ?? ''
  const time = timeOf(valueOf('Timestamp'), 'Timestamp', now)
  if (typeof time !== 'number') return { status: 'refused', problem: time }
  // Absent or anything else is HmacSHA1, as documented.
  const method = valueOf('SignatureMethod') === 'HmacSHA256' ? 'HmacSHA256' : 'HmacSHA1'
  const { hash, bytes } = METHODS[method]
  const signature = fromBase64(valueOf('Signature'))
  if (signature?.length !== bytes) {
    return { status: 'refused', problem: { reason: 'signature_malformed', method, bytes } }
  }

  const tried = candidatesOf(request, pairs, valueOf('Region'), hostAliases)
  const parameters = new Map<boolean, Uint8Array>()
  for (const secretKey of secretKeys) {
    const keyName = JSON.stringify([secretKey, hash])
    const kept = importedKeys.get(keyName)
    const key = kept ?? (await importHmacKey(utf8(secretKey), hash))
    for (const { host, uri, dotted } of tried) {
      // Up to 1 MB and the same for all hosts: sorted and encoded once. What is joined is not kept: it would be that for each host.
      const end = parameters.get(dotted) ?? utf8(`?${parametersText(pairs, dotted)}`)
      parameters.set(dotted, end)
      const text = joined(utf8(`${request.method}${host}${uri}`), end)
      // `verify` compares in constant time.
      if (await crypto.subtle.verify('HMAC', key, signature, text)) {
        if (!kept) importedKeys.keep(keyName, key)
        return { status: 'verified' }
      }
    }
  }
  return { status: 'refused', problem: { reason: 'signature_mismatch', tried } }
}

interface Candidate {
  host: string
  uri: string
  /** Java and Python sign `.` in the place of each `_` of a name, the others the name as it is. */
  dotted: boolean
}

function candidatesOf(
  request: Pick<SignedRequest, 'rawPath' | 'headers'>,
  pairs: readonly Pair[],
  region: string,
  hostAliases: readonly string[],
): Candidate[] {
  const hosts = [...hostCandidates(request.headers, region, hostAliases)]
  const ways = pairs.some(([name]) => name.includes('_')) ? [false, true] : [false]
  return ways.flatMap((dotted) =>
    [...uriCandidates(request)].flatMap((uri) => hosts.map((host) => ({ host, uri, dotted }))),
  )
}

/** What is signed after the `?`: every parameter but the signature itself, in the order of the names' bytes. */
export function parametersText(pairs: readonly Pair[], dotted: boolean): string {
  return pairs
    .filter(([name]) => name !== 'Signature')
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([name, value]) => `${dotted ? name.replaceAll('_', '.') : name}=${value}`)
    .join('&')
}

/** In the order of the UTF-8 bytes, which is that of the code points. `<` compares UTF-16 units, whose surrogates stand too low. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Surrogates (U+D800 to U+DFFF) stand for code points above all other units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}

/** Strict: padded, and without bits that decode to nothing, so that one signature has one text. undefined: it is not base64. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const binary = atob(text)
  if (btoa(binary) !== text) return undefined
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}
