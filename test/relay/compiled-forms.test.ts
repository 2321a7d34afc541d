/** What the relay reads by the thousand is compiled; a form that zod can't compile would be read slowly, and no other test would tell. */
import { it } from 'vitest'
import * as z from 'zod'
import { Envelope, LedgerRecord } from '#contract'

it.for([
  ['an envelope', Envelope],
  ['a ledger record', LedgerRecord],
] as const)('%s compiles', ([, schema], { expect }) => {
  expect(() => z.compile(schema, { strict: true })).not.toThrow()
})
