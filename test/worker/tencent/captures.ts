/// <reference types="vite/types/importMeta.d.ts" />
/** The captured requests of test/vectors: read, split, and rebuilt as what a verifier gets. */
import type { SignedRequest } from '../../../worker/tencent/tc3-candidates.ts'

export const SECRET_ID = 'AKIDEXAMPLEONLY00000000000000000000'
export const SECRET_KEY = 'exampleSecretKeyForTestsOnly0000'

export interface Capture {
  name: string
  /** The host value that the client signed. */
  signedHost: string
  /** The path that the client signed. */
  signedPath: string
  method: string
  target: string
  headers: [name: string, value: string][]
  body: Uint8Array<ArrayBuffer>
}

const JAVA = 'java-3.1.430-tc3-post'
const SIGNED_HOSTS: Record<string, string> = {
  [JAVA]: '127.0.0.1:18180',
  [`${JAVA}-special`]: '127.0.0.1:18180',
  [`${JAVA}-token-lang`]: '127.0.0.1:18180',
  'node-tc3-post': '127.0.0.1',
  'node-tc3-post-datahubtask-create': '127.0.0.1',
  'node-tc3-post-endpoint-ckafka-domain': 'ckafka.tencentcloudapi.test',
  'node-tc3-post-endpoint-localhost-port': 'localhost',
  'node-tc3-post-endpoint-pathprefix': '127.0.0.1',
  'node-tc3-post-noregion': '127.0.0.1',
  'node-tc3-post-special': '127.0.0.1',
  'node-tc3-post-token-lang': '127.0.0.1',
  'python-tc3-post': '127.0.0.1:18180',
  'python-tc3-post-apigw-endpoint': 'ckafka.tencentcloudapi.com',
  'python-tc3-post-requestclient': '127.0.0.1:18180',
  'python-tc3-post-special': '127.0.0.1:18180',
  'python-tc3-post-token': '127.0.0.1:18180',
}

const files = import.meta.glob<string>('../../vectors/*.txt', {
  query: '?raw',
  import: 'default',
  eager: true,
})

export const captures: Capture[] = Object.entries(files).map(([path, text]) => {
  const name = path.replace(/^.*\//, '').replace(/\.txt$/, '')
  const end = text.indexOf('\r\n\r\n')
  const [requestLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const [method = '', target = ''] = requestLine.split(' ')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(': ')
    return [line.slice(0, colon), line.slice(colon + 2)]
  })
  return {
    name,
    signedHost: SIGNED_HOSTS[name] ?? '',
    signedPath: target,
    method,
    target,
    headers,
    body: new Uint8Array(new TextEncoder().encode(text.slice(end + 4))),
  }
})

export const captureNames = Object.keys(SIGNED_HOSTS)

export function captureOf(name: string): Capture {
  const capture = captures.find((c) => c.name === name)
  if (!capture) throw new Error(`no capture ${name}`)
  return capture
}

export function headerOf(capture: Capture, name: string): string {
  return capture.headers.find(([n]) => n.toLowerCase() === name)?.[1] ?? ''
}

/** The capture's own time, Unix ms. */
export function clockOf(capture: Capture): number {
  return Number(headerOf(capture, 'x-tc-timestamp')) * 1000
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
