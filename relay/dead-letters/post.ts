/**
 * A letter → the POST that sends its report again, or why there can be none. Pure. The same letter gives the same POST byte for byte:
 * the worker knows a repetition by its key and refuses the key with another body.
 */
import type { InstanceId } from '#contract'
import { textOf, type Letter } from './letter.ts'

export interface ReplayPost {
  path: string
  headers: Record<string, string>
  body: string
}

export type PostResult = { status: 'ok'; post: ReplayPost } | { status: 'impossible'; why: string }

// What the worker passes on unchanged. Anything else must stay a header of the report, or it would be lost or altered.
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

export function toPost(letter: Letter, instance: InstanceId, waitSeconds: number): PostResult {
  const { reason, datahub, key, value, position } = letter
  if (reason === 'undecodable') {
    return impossible('it was no envelope, so there is no report in it')
  }
  if (letter.messageId !== undefined) {
    return impossible('it came so late that nobody knows whether it was delivered before')
  }
  if (reason === 'envelope_lost') {
    return impossible('its records were lost; only the sender has them')
  }
  if (datahub === undefined) return impossible('it names no datahub')
  const keyText = key === null ? undefined : textOf(key)
  if (key !== null && keyText === undefined) return impossible('its key is not UTF-8')

  const traceparent = letter.headers.find(([name]) => name === 'traceparent')?.[1]
  const isTraced = traceparent !== undefined && TRACEPARENT.test(traceparent)
  const own = letter.headers.filter(([name]) => !(isTraced && name === 'traceparent'))
  const report = {
    ...(keyText === undefined ? {} : { key: keyText }),
    ...valueFields(value),
    ...(own.length === 0 ? {} : { headers: Object.fromEntries(own) }),
  }
  return {
    status: 'ok',
    post: {
      path: `/v1/datahubs/${encodeURIComponent(datahub)}/reports`,
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `dead-letter-${instance}-${position.partition}-${position.offset}`,
        ...(isTraced ? { traceparent } : {}),
        ...(waitSeconds === 0 ? {} : { prefer: `wait=${waitSeconds}` }),
      },
      body: JSON.stringify({ reports: [report] }),
    },
  }
}

function valueFields(value: Buffer | null): { value?: string; base64?: string } {
  if (value === null) return {}
  const text = textOf(value)
  return text === undefined ? { base64: value.toString('base64') } : { value: text }
}

function impossible(why: string): PostResult {
  return { status: 'impossible', why }
}
