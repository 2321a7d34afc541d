/** Parameters that several routes take, as OpenAPI has them, and those in paths. */
import { MAX_WAIT_SECONDS } from '#contract'
import { DEFAULT_PAGE_ITEMS, MAX_PAGE_ITEMS } from '../../worker/page.ts'
import type { Parameter } from './operation.ts'

const text = { type: 'string' }

export const cursor: Parameter = {
  name: 'cursor',
  in: 'query',
  description:
    'Where the list goes on: the `cursor` of the page before. Opaque, and of this list only.',
  schema: text,
}

export const page: readonly Parameter[] = [
  {
    name: 'limit',
    in: 'query',
    description: 'Most items of the page.',
    schema: { type: 'integer', minimum: 1, maximum: MAX_PAGE_ITEMS, default: DEFAULT_PAGE_ITEMS },
  },
  cursor,
]

export const ifMatch: Parameter = {
  name: 'If-Match',
  in: 'header',
  description:
    'Entity tags, one of which must have the revision that is current; else nothing is changed and the answer is 412. Without it, or with `*`, the change is made in any case.',
  schema: text,
}

export const ifNoneMatch: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  description: 'Entity tags; when one of them is current, the answer is 304.',
  schema: text,
}

export const sessionToken: Parameter = {
  name: 'X-TC-Token',
  in: 'header',
  description: 'The session token, with Basic and a temporary credential.',
  schema: text,
}

export const wait: Parameter = {
  name: 'wait',
  in: 'query',
  description: 'Seconds to hold the answer for the outcome.',
  schema: { type: 'integer', minimum: 0, maximum: MAX_WAIT_SECONDS, default: 0 },
}

/** By the name in the path. */
export const PATH_PARAMETERS: Readonly<Record<string, { description: string; pattern?: string }>> =
  {
    datahub: { description: 'The access point’s id.', pattern: '^datahub-[a-z0-9]{8}$' },
    secretId: {
      description: 'The credential’s SecretId.',
      pattern: '^AKID[A-Za-z0-9]{20}[0-9a-f]{12}$',
    },
    schemaId: { description: 'The schema’s id.', pattern: '^schema-[a-z0-9]{8}$' },
    receipt: { description: 'A receipt.', pattern: '^[A-Za-z0-9_-]{43}$' },
    topic: { description: 'The topic’s name.' },
    object: { description: 'The object’s name: an envelope id, a dash and a SHA-256 in hex.' },
  }
