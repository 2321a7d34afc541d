import { describe, it } from 'vitest'
import { LookupsRequest, LookupsResponse, MAX_LOOKUP_IDS } from '#contract'
import golden from './golden/lookups.json' with { type: 'json' }

const id = golden.request.ids[0]

describe('a look-up', () => {
  it('is asked and answered as ever', ({ expect }) => {
    expect(LookupsRequest.parse(golden.request)).toEqual(golden.request)
    expect(LookupsResponse.parse(golden.response)).toEqual(golden.response)
  })

  it.for([
    ['no ids', { ids: [] }, false],
    ['one id', { ids: [id] }, true],
    ['as many ids as allowed', { ids: Array(MAX_LOOKUP_IDS).fill(id) }, true],
    ['one id too many', { ids: Array(MAX_LOOKUP_IDS + 1).fill(id) }, false],
    ['an id that is none', { ids: ['short'] }, false],
    ['an unknown field', { ids: [id], wait: 1 }, false],
  ] as const)('of %s: valid %s', ([, request, valid], { expect }) => {
    expect(LookupsRequest.safeParse(request).success).toBe(valid)
  })

  it.for([{ found: [] }, { absent: [] }, { found: ['x'], absent: [] }])(
    'is not answered by %j: absence must be said',
    (response, { expect }) => {
      expect(LookupsResponse.safeParse(response).success).toBe(false)
    },
  )
})
