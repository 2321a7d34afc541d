import { afterEach, describe, it, vi } from 'vitest'
import { createKeptKeys, importHmacKey, utf8 } from '../../../worker/tencent/signature.ts'
import { requestHeadOf } from '../../../worker/tencent/signed-request.ts'
import { reasonOf, verify } from './captures.ts'
import { signedCall, signedV1Call } from './sign.ts'

const NOW = 1_704_790_596_000

afterEach(() => vi.restoreAllMocks())

/** Keys imported while a request is checked. */
async function importsOf(request: Request, secretKeys: string[]): Promise<[string, number]> {
  const signed = {
    ...requestHeadOf(request),
    body: new Uint8Array(await request.arrayBuffer()),
  }
  const spy = vi.spyOn(crypto.subtle, 'importKey')
  const reason = reasonOf(await verify(signed, { now: NOW, secretKeys }))
  const imports = spy.mock.calls.length
  spy.mockRestore()
  return [reason, imports]
}

describe('the keys of an isolate', () => {
  const FORM = { DataHubId: 'd', 'Message.0.Body': 'a' }
  const sign = {
    TC3: (secretKey: string) => signedCall('{}', { secretKey }),
    HmacSHA1: (secretKey: string) => signedV1Call(FORM, { secretKey, signatureMethod: 'HmacSHA1' }),
    HmacSHA256: (secretKey: string) => signedV1Call(FORM, { secretKey }),
  }
  /** TC3 derives its key in three steps. */
  const rows = [
    ['TC3', 4],
    ['HmacSHA1', 1],
    ['HmacSHA256', 1],
  ] as const

  it.for(rows)(
    '%s: one that verified a signature is made once',
    async ([method, steps], { expect }) => {
      const secret = crypto.randomUUID()
      expect(await importsOf(await sign[method](secret), [secret])).toEqual(['verified', steps])
      expect(await importsOf(await sign[method](secret), [secret])).toEqual(['verified', 0])
    },
  )

  it.for(rows)('%s: one that verified nothing is not kept', async ([method, steps], { expect }) => {
    const secret = crypto.randomUUID()
    for (const _ of [1, 2]) {
      const checked = await importsOf(await sign[method]('wrong'), [secret])
      expect(checked).toEqual(['signature_mismatch', steps])
    }
  })

  it('are 256 for each method at most, the oldest goes first', async ({ expect }) => {
    const key = await importHmacKey(utf8('secret'), 'SHA-256')
    const keys = createKeptKeys()
    for (let i = 0; i < 256; i++) keys.keep(`${i}`, key)
    expect([keys.get('0'), keys.get('255')]).toEqual([key, key])
    keys.keep('256', key)
    expect([keys.get('0'), keys.get('1'), keys.get('256')]).toEqual([undefined, key, key])
  })
})
