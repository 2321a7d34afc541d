/**
 * Entity tags (RFC 9110 section 8.8.3) and the conditions on them. A tag is `"<revision>-<hash>"`. The revision counts the changes that
 * somebody made, and is what `If-Match` is about; the hash covers all that is shown, also what comes about without such a change (a task
 * that is paused by now, what a relay found of its topic), so that `If-None-Match` never hides news. Pure.
 */
import type { Parsed } from './parse.ts'
import { rejected } from './rejection.ts'

/** `shown`: the body as it is sent. */
export function etagOf(revision: number, shown: string): string {
  // FNV-1a. Two bodies of one revision that agree in 32 bits would look unchanged.
  let hash = 0x811c9dc5
  for (let i = 0; i < shown.length; i++) {
    hash = Math.imul(hash ^ shown.charCodeAt(i), 0x01000193)
  }
  return `"${revision}-${(hash >>> 0).toString(36)}"`
}

/** What an If-Match asks for: nothing, or one of these revisions. `*` asks for nothing here: what does not exist is 404 anyway. */
export type Expected = 'any' | number[]

/** A weak tag and one that is none of ours match nothing (RFC 9110 section 13.1.1). A revision alone is a good tag too. */
export function parseIfMatch(header: string | null): Parsed<Expected> {
  const tags = parseTags('If-Match', header)
  if (tags.status === 'rejected') return tags
  if (tags.value === undefined || tags.value === '*') return { status: 'ok', value: 'any' }
  const value = tags.value.flatMap((tag) => {
    const revision = /^"(\d{1,15})(?:-[0-9a-z]+)?"$/.exec(tag)?.[1]
    return revision === undefined ? [] : [Number(revision)]
  })
  return { status: 'ok', value: [...new Set(value)] }
}

/** Whether the client has what would be sent (RFC 9110 section 13.1.2). */
export function isNotModified(header: string | null, etag: string): Parsed<boolean> {
  const tags = parseTags('If-None-Match', header)
  if (tags.status === 'rejected') return tags
  if (tags.value === undefined) return { status: 'ok', value: false }
  const value = tags.value === '*' || tags.value.some((tag) => tag.replace(/^W\//, '') === etag)
  return { status: 'ok', value }
}

const TAG = String.raw`(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"`
const LIST = new RegExp(String.raw`^[\t ,]*${TAG}(?:[\t ]*,[\t ,]*${TAG})*[\t ,]*$`)

function parseTags(name: string, header: string | null): Parsed<string[] | '*' | undefined> {
  if (header === null) return { status: 'ok', value: undefined }
  if (header.trim() === '*') return { status: 'ok', value: '*' }
  if (LIST.test(header)) {
    return { status: 'ok', value: header.match(new RegExp(TAG, 'g')) ?? [] }
  }
  const problem = 'entity tags in double quotes, separated by commas, or * are expected.'
  return rejected({ reason: 'invalid_header', header: name, problem })
}
