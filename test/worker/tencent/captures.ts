/// <reference types="vite/types/importMeta.d.ts" />
/** The captured requests of test/vectors: read, split, and rebuilt as what a verifier gets. */
import { readHead, type NoHead } from '../../../worker/tencent/call-head.ts'
import type { CheckOptions, SignatureCheck } from '../../../worker/tencent/signature.ts'
import type { SignedRequest } from '../../../worker/tencent/signed-request.ts'

export const SECRET_ID = 'AKIDEXAMPLEONLY00000000000000000000'
export const SECRET_KEY = 'exampleSecretKeyForTestsOnly0000'

/** One entry of vectors.json: the same request, and what a verifier must come to. */
export interface Vector {
  name: string
  requestLine: string
  headers: [name: string, value: string][]
  bodyBase64: string
  scheme: 'TC3-HMAC-SHA256' | 'HmacSHA1' | 'HmacSHA256' | 'SKIP'
  canonicalRequest?: string
  stringToSign?: string
  service?: string
  /** The host value that the client signed, with TC3. */
  signedHost?: string
}

export interface Capture {
  name: string
  vector: Vector
  /** The host value that the client signed. */
  signedHost: string
  /** The path that the client signed. */
  signedPath: string
  method: string
  target: string
  headers: [name: string, value: string][]
  body: Uint8Array<ArrayBuffer>
}

const files = import.meta.glob<string>('../../vectors/*.txt', {
  query: '?raw',
  import: 'default',
  eager: true,
})
const json = import.meta.glob<string>('../../vectors/vectors.json', {
  query: '?raw',
  import: 'default',
  eager: true,
})

const { vectors }: { vectors: Vector[] } = JSON.parse(Object.values(json)[0] ?? '')
export { vectors }

export const captures: Capture[] = Object.entries(files).map(([path, text]) => {
  const name = path.replace(/^.*\//, '').replace(/\.txt$/, '')
  const vector = vectors.find((v) => v.name === name)
  if (!vector) throw new Error(`no vector ${name}`)
  const end = text.indexOf('\r\n\r\n')
  const [requestLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const [method = '', target = ''] = requestLine.split(' ')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(': ')
    return [line.slice(0, colon), line.slice(colon + 2)]
  })
  const host = headers.find(([header]) => header.toLowerCase() === 'host')?.[1] ?? ''
  return {
    name,
    vector,
    signedHost: vector.signedHost ?? host,
    signedPath: target.replace(/\?.*$/, ''),
    method,
    target,
    headers,
    body: new Uint8Array(new TextEncoder().encode(text.slice(end + 4))),
  }
})

const namesOf = (fits: (capture: Capture) => boolean): string[] =>
  captures.filter(fits).map(({ name }) => name)

export const tc3Names = namesOf(({ vector }) => vector.scheme === 'TC3-HMAC-SHA256')
export const v1Names = namesOf(({ vector }) => vector.scheme.startsWith('Hmac'))
export const skipNames = namesOf(({ vector }) => vector.scheme === 'SKIP')
export const signedNames = [...tc3Names, ...v1Names]

export function captureOf(name: string): Capture {
  const capture = captures.find((c) => c.name === name)
  if (!capture) throw new Error(`no capture ${name}`)
  return capture
}

export function headerOf(capture: Capture, name: string): string {
  return capture.headers.find(([n]) => n.toLowerCase() === name)?.[1] ?? ''
}

/** All captures of one SDK were taken at one time. Unix ms. */
export function clockOf({ name }: Capture): number {
  return (name.startsWith('java-3.1.430-') ? 1_795_340_693 : 1_704_790_596) * 1000
}

export function signedRequestOf(capture: Capture): SignedRequest {
  const [rawPath = '', rawQuery = ''] = capture.target.split('?')
  const { method, body } = capture
  return { method, rawPath, rawQuery, headers: new Headers(capture.headers), body }
}

export function httpRequestOf(capture: Capture): Request {
  const { method, body } = capture
  return new Request(`http://${headerOf(capture, 'host')}${capture.target}`, {
    method,
    headers: capture.headers.filter(([name]) => name.toLowerCase() !== 'content-length'),
    ...(method === 'POST' && { body }),
  })
}

/** As the API does it: finds out how a request is signed, and checks that. */
export async function verify(
  request: SignedRequest,
  options: Partial<CheckOptions> & { now: number },
): Promise<SignatureCheck | NoHead> {
  const head = readHead(request, request.body)
  if (head.status !== 'read') return head
  if (head.secretId !== SECRET_ID) {
    return { status: 'problem', problem: { reason: 'secret_id_not_found' } }
  }
  return head.verify(request.body, {
    secretKeys: [SECRET_KEY],
    hostAliases: [],
    unsignedPayload: 'allow',
    ...options,
  })
}

/** `verified`, or the reason why not. */
export function reasonOf(check: SignatureCheck | NoHead): string {
  if (check.status === 'verified') return check.status
  return check.status === 'rejected' ? check.rejection.reason : check.problem.reason
}
