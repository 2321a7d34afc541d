import { it } from 'vitest'
import { validTraceparent } from '../../worker/trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'
const valid = `00-${TRACE}-${PARENT}-01`

it.for([
  [valid, valid],
  [`01-${TRACE}-${PARENT}-01-more`, valid],
  [null, undefined],
  ['', undefined],
  [`${valid}-more`, undefined],
  [`ff-${TRACE}-${PARENT}-01`, undefined],
  [`00-${'0'.repeat(32)}-${PARENT}-01`, undefined],
  [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
  [valid.toUpperCase(), undefined],
  [`00-${TRACE.slice(1)}-${PARENT}-01`, undefined],
] as const)('traceparent %s is carried as %s', ([header, carried], { expect }) => {
  expect(validTraceparent(header)).toBe(carried)
})
