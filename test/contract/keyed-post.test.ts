import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { bodyDigestOf, BodyDigest, EnvelopeId, keyedEnvelopeId } from '#contract'
import golden from './golden/keyed-posts.json' with { type: 'json' }

describe('the id of a keyed envelope', () => {
  it.for(golden.ids)('is as ever for %j', async ({ datahub, scope, key, id }, { expect }) => {
    expect(await keyedEnvelopeId({ datahub, scope }, key)).toBe(id)
  })

  it('is another one where datahub, scope or key is another one', async ({ expect }) => {
    const part = fc.string({ unit: 'binary-ascii' }).filter((text) => !text.includes('\0'))
    const space = fc.tuple(part, part, part)
    await fc.assert(
      fc.asyncProperty(space, space, async (a, b) => {
        const [x, y] = await Promise.all(
          [a, b].map(([datahub, scope, key]) => keyedEnvelopeId({ datahub, scope }, key)),
        )
        expect(EnvelopeId.safeParse(x).success).toBe(true)
        expect(x === y).toBe(a.every((text, i) => text === b[i]))
      }),
    )
    // The same characters, cut in another place.
    const cut = await keyedEnvelopeId({ datahub: 'ab', scope: 'c' }, 'd')
    expect(await keyedEnvelopeId({ datahub: 'a', scope: 'bc' }, 'd')).not.toBe(cut)
  })
})

describe('the digest of a body', () => {
  it.for(golden.digests)('is as ever for %j', async ({ body, digest }, { expect }) => {
    expect(await bodyDigestOf(new TextEncoder().encode(body))).toBe(digest)
    expect(BodyDigest.safeParse(digest).success).toBe(true)
  })
})
