/** Letters as text for people. Pure. Exact bytes are what `--json` is for. */
import { harmless, isoTime, onOneLine } from '../operator/text.ts'
import { formatPosition, sizeOf, textOf, type Letter } from './letter.ts'

const KEY_CHARACTERS = 24

/** What `list` keeps of a letter: a few short strings, whatever its size. */
export type ListRow = readonly string[]

export const LIST_TITLES: ListRow = [
  'position',
  'failed',
  'reason',
  'datahub',
  'topic',
  'receipt or id',
  'key',
  'bytes',
]

export function listRow(letter: Letter): ListRow {
  const { position, failed, reason, datahub, topic, receipt, id, messageId, key } = letter
  return [
    formatPosition(position),
    isoTime(failed),
    reason ?? '-',
    datahub ?? '-',
    topic ?? '-',
    receipt ?? id ?? messageId ?? '-',
    key === null ? '-' : shortKey(key),
    String(sizeOf(letter)),
  ].map(onOneLine)
}

export function showLetter(letter: Letter): string {
  const { position, failed, received, key, value, headers } = letter
  const { reason, datahub, topic, receipt, id, messageId, problem } = letter
  const lines: [name: string, text: string | undefined][] = [
    ['failed', isoTime(failed)],
    ['reason', reason],
    ['problem', problem],
    ['received', received === undefined ? undefined : isoTime(received)],
    ['datahub', datahub],
    ['topic', topic],
    ['receipt', receipt],
    ['id', id],
    ['message id', messageId],
    ['key', key === null ? 'none' : quotedBytes(key)],
    ...headers.map(([name, text]): [string, string] => ['header', `${name}: ${text}`]),
  ]
  const known = lines.flatMap(([name, text]) =>
    text === undefined ? [] : [`  ${name.padEnd(10)}  ${onOneLine(text)}`],
  )
  return [formatPosition(position), ...known, `  ${'value'.padEnd(10)}  ${valueText(value)}`].join(
    '\n',
  )
}

function valueText(value: Buffer | null): string {
  if (value === null) return 'none'
  const text = textOf(value)
  return text === undefined
    ? `${value.length} bytes, base64:\n${value.toString('base64')}`
    : `${value.length} bytes of text:\n${harmless(text)}`
}

/** Enough of a key to recognise it by. */
export function shortKey(key: Buffer): string {
  const text = textOf(key)
  if (text === undefined) return `${key.toString('base64').slice(0, KEY_CHARACTERS)} (base64)`
  if (text.length <= KEY_CHARACTERS) return JSON.stringify(text)
  return `${JSON.stringify(text.slice(0, KEY_CHARACTERS).toWellFormed())}…`
}

function quotedBytes(bytes: Buffer): string {
  const text = textOf(bytes)
  return text === undefined ? `${bytes.toString('base64')} (base64)` : JSON.stringify(text)
}
