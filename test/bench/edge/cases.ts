/** What is sent: SendMessage as an SDK signs it, and the same bytes to the routes that it is compared with. */
import { createHash, createHmac } from 'node:crypto'
import type { Load } from './load-child.ts'
import type { EdgeServer, Socket } from './server.ts'
import { STAGES, type Stage } from './stage-names.ts'

export type Kind =
  | { what: 'empty'; method: 'GET' | 'POST' }
  | { what: 'read' | 'hash' | 'send' | 'pending' }
  | { what: 'stage'; stage: Stage }

/** `messages` of `bytes` each are the body, also where nobody reads it. */
export type Case = Kind & { messages: number; bytes: number }

export interface Caller {
  secretId: string
  secretKey: string
}

export interface Access {
  datahub: string
  topic: string
  callers: readonly Caller[]
}

export const MESSAGES = [1, 10, 100]
export const BYTES = [100, 1_024]
/** Whose stages are measured. */
export const STAGED = { messages: 10, bytes: 100 }

export function allCases(): Case[] {
  const sizes = BYTES.flatMap((bytes) => MESSAGES.map((messages) => ({ messages, bytes })))
  return [
    { what: 'empty', method: 'GET', ...STAGED },
    { what: 'empty', method: 'POST', ...STAGED },
    ...sizes.flatMap((size): Case[] => [
      { what: 'read', ...size },
      { what: 'hash', ...size },
      { what: 'send', ...size },
    ]),
    ...MESSAGES.map((messages): Case => ({ what: 'pending', messages, bytes: 100 })),
    ...STAGES.map((stage): Case => ({ what: 'stage', stage, ...STAGED })),
  ]
}

export function nameOf(which: Case): string {
  const size = `${which.messages} x ${which.bytes}`
  switch (which.what) {
    case 'empty':
      return `empty ${which.method}`
    case 'stage':
      return `stage ${which.stage} ${size}`
    case 'read':
    case 'hash':
    case 'send':
    case 'pending':
      return `${which.what} ${size}`
  }
}

/** Signed for now; a signature is good for 5 minutes. */
export function loadOf(
  which: Case,
  {
    server,
    access,
    requests,
    connections,
  }: { server: EdgeServer; access: Access; requests: number; connections: number },
): Load {
  const origin = server.origins[socketOf(which)]
  if (which.what === 'empty' && which.method === 'GET') {
    const expected = { text: '{"ok":true}', times: 1 }
    return { origin, method: 'GET', path: '/', headers: [{}], requests, connections, expected }
  }
  const body = bodyOf(which, access)
  const { host } = new URL(origin)
  const headers = access.callers.map((caller) => signedHeaders(host, body, caller, new Date()))
  const common = { origin, method: 'POST', headers, body, requests, connections } as const
  switch (which.what) {
    case 'empty':
      return { ...common, path: '/', expected: { text: '{"ok":true}', times: 1 } }
    case 'read':
      return {
        ...common,
        path: '/read',
        expected: { text: `{"bytes":${Buffer.byteLength(body)}}`, times: 1 },
      }
    case 'hash':
      return { ...common, path: '/hash', expected: { text: '{"isGood":false}', times: 1 } }
    case 'stage':
      return {
        ...common,
        path: `/${which.stage}`,
        expected: { text: `{"stage":"${which.stage}"}`, times: 1 },
      }
    case 'send':
    case 'pending': {
      const [place] = which.what === 'send' ? [`:${access.topic}:0:1`] : [`:${access.topic}:-1:-1:`]
      return {
        ...common,
        path: '/',
        expected: { text: `"${access.datahub}${place}`, times: which.messages },
      }
    }
  }
}

function socketOf(which: Case): Socket {
  switch (which.what) {
    case 'empty':
    case 'read':
    case 'hash':
      return 'empty'
    case 'send':
      return 'send'
    case 'pending':
      return 'pending'
    case 'stage':
      return 'stages'
  }
}

const HEAD = '{"device":"sensor-0042","celsius":21.53,"note":"'
const TAIL = '"}'

/** Bodies are JSON texts, as reports mostly are: their quotes are escaped in the call. */
function bodyOf({ messages, bytes }: Case, { datahub }: Access): string {
  const text = `${HEAD}${'x'.repeat(bytes - HEAD.length - TAIL.length)}${TAIL}`
  const list = Array.from({ length: messages }, (_, i) => ({ Key: `key-${i}`, Body: text }))
  return JSON.stringify({ DataHubId: datahub, Message: list })
}

function signedHeaders(
  host: string,
  body: string,
  { secretId, secretKey }: Caller,
  now: Date,
): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const scope = `${now.toISOString().slice(0, 10)}/ckafka/tc3_request`
  const contentType = 'application/json'
  const canonical = `POST\n/\n\ncontent-type:${contentType}\nhost:${host}\n\ncontent-type;host\n${sha256(body)}`
  const text = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`
  let key: string | Buffer = `TC3${secretKey}`
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest()
  const signature = createHmac('sha256', key).update(text).digest('hex')
  return {
    'content-type': contentType,
    'x-tc-action': 'SendMessage',
    'x-tc-version': '2019-08-19',
    'x-tc-region': 'ap-guangzhou',
    'x-tc-language': 'zh-CN',
    'x-tc-requestclient': 'SDK_PYTHON_3.1.162',
    'x-tc-timestamp': timestamp,
    authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, SignedHeaders=content-type;host, Signature=${signature}`,
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
