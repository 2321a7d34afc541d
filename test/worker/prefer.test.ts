import { describe, it } from 'vitest'
import { preferredWait, requestedWait } from '../../worker/prefer.ts'

describe('preferredWait', () => {
  it.for([
    [null, 0],
    ['', 0],
    ['wait=5', 5],
    ['WAIT = 5', 5],
    ['wait="5"', 5],
    ['respond-async, wait=10', 10],
    ['wait=10; x=1, wait=3', 10],
    ['note="a, wait=9", wait=2', 2],
    ['note="\\", wait=9", wait=2', 2],
    ['wait=25', 25],
    ['wait=26', 25],
    ['wait=999999999', 25],
    ['wait=0', 0],
    ['wait', 0],
    ['wait=', 0],
    ['wait=-1', 0],
    ['wait=1.5', 0],
    ['wait=x', 0],
    ['await=5', 0],
  ] as const)('reads %s as %i seconds', ([header, seconds], { expect }) => {
    expect(preferredWait(header)).toBe(seconds)
  })
})

describe('requestedWait', () => {
  it.for([
    [undefined, 0],
    ['0', 0],
    ['25', 25],
  ] as const)('reads %s as %i seconds', ([query, seconds], { expect }) => {
    expect(requestedWait(query)).toEqual({ status: 'ok', seconds })
  })
})
