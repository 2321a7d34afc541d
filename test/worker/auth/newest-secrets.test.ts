// What is cached of a credential must not hide what it was changed to: each way of calling, with the secrets of before in the cache.
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { ADMIN, makeAccess, testClient, type Access, type TestClient } from '../support/client.ts'
import { signedCall, signedV1Call } from '../tencent/sign.ts'

let client: TestClient
/** SecretIds that the registry was asked for. */
let asked: string[]
let isAway = false

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  asked = []
  isAway = false
  const registry = env.REGISTRY.getByName(REGISTRY_NAME)
  const watched = new Proxy(registry, {
    get(stub, method) {
      if (method !== 'findCredential') return Reflect.get(stub, method)
      return async (secretId: string) => {
        asked.push(secretId)
        if (isAway) throw new Error('registry is down')
        return stub.findCredential(secretId)
      }
    },
  })
  client = testClient({ SEND_MESSAGE_WAIT_MS: '0', REGISTRY: { getByName: () => watched } })
})

afterEach(() => {
  vi.useRealTimers()
})

const pass = (ms: number) => void vi.setSystemTime(Date.now() + ms)

async function rotate({ secretId }: Access, keepSeconds: number): Promise<string> {
  const path = `/v1/credentials/${secretId}/rotate`
  const answer = await client.post(path, { keepSeconds }, ADMIN)
  return (await answer.json<{ secretKey: string }>()).secretKey
}

/** Whether the call is accepted, or the code of the refusal. */
type Way = (access: Access, secretKey: string, token?: string) => Promise<string>

const codeOf = async (response: Response): Promise<string> => {
  const { Response } = await response.json<{ Response: { Error?: { Code: string } } }>()
  return Response.Error?.Code ?? 'accepted'
}
const seconds = () => Math.floor(Date.now() / 1_000)

const WAYS: Readonly<Record<string, Way>> = {
  async Basic({ secretId, datahub }, secretKey, token) {
    const headers = {
      Authorization: `Basic ${btoa(`${secretId}:${secretKey}`)}`,
      ...(token !== undefined && { 'X-TC-Token': token }),
    }
    const reports = { reports: [{ value: 'x' }] }
    const response = await client.post(`/v1/datahubs/${datahub}/reports`, reports, headers)
    return response.status === 202 ? 'accepted' : String(response.status)
  },
  async TC3({ secretId, datahub }, secretKey, token) {
    const body = JSON.stringify({ DataHubId: datahub, Message: [{ Body: 'x' }] })
    const headers = { 'X-TC-Token': token }
    const options = { secretId, secretKey, timestamp: seconds(), headers }
    return codeOf(await client.fetch(await signedCall(body, options)))
  },
  async v1({ secretId, datahub }, secretKey, token) {
    const parameters = { DataHubId: datahub, 'Message.0.Body': 'x' }
    const common = { Token: token }
    const options = { secretId, secretKey, timestamp: seconds(), common }
    return codeOf(await client.fetch(await signedV1Call(parameters, options)))
  },
}
const WRONG: Readonly<Record<string, string>> = {
  Basic: '401',
  TC3: 'AuthFailure.SignatureFailure',
  v1: 'AuthFailure.SignatureFailure',
}
const names = Object.keys(WAYS)
const wayOf = (name: string): Way => WAYS[name] ?? (() => Promise.reject(new Error(name)))

describe.for(names)('by %s', (name) => {
  const call = wayOf(name)

  it('a new secret works at once where the one of before is cached', async ({ expect }) => {
    const access = await makeAccess(client)
    expect(await call(access, access.secretKey)).toBe('accepted')
    pass(1_000)
    const secretKey = await rotate(access, 86_400)
    expect(await call(access, secretKey)).toBe('accepted')
    expect(await call(access, access.secretKey)).toBe('accepted')
    expect(asked).toEqual([access.secretId, access.secretId])
  })

  it('the secret of before is good for 15 s where nobody has heard of the rotation, and for no longer', async ({
    expect,
  }) => {
    const access = await makeAccess(client)
    expect(await call(access, access.secretKey)).toBe('accepted')
    await rotate(access, 0)
    pass(4_999)
    expect(await call(access, access.secretKey)).toBe('accepted')
    pass(10_001)
    expect(await call(access, access.secretKey)).toBe(WRONG[name])
  })

  it('the secret of before ends where the new one was used', async ({ expect }) => {
    const access = await makeAccess(client)
    await call(access, access.secretKey)
    pass(1_000)
    const secretKey = await rotate(access, 0)
    expect(await call(access, secretKey)).toBe('accepted')
    expect(await call(access, access.secretKey)).toBe(WRONG[name])
  })

  it('a wrong secret costs one look-up a second, however often it is tried', async ({ expect }) => {
    const access = await makeAccess(client)
    for (let i = 0; i < 30; i++) {
      const answers = await Promise.all(['wrong', 'none'].map((secret) => call(access, secret)))
      expect(answers).toEqual([WRONG[name], WRONG[name]])
      pass(100)
    }
    expect(asked).toHaveLength(3)
  })

  it('a secret that may be right is not called wrong while the registry is away', async ({
    expect,
  }) => {
    const access = await makeAccess(client)
    await call(access, access.secretKey)
    pass(1_000)
    isAway = true
    expect(await call(access, 'perhaps')).toBe(name === 'Basic' ? '503' : 'ServiceUnavailable')
    expect(await call(access, access.secretKey)).toBe('accepted')
  })

  it('a wrong session token has the stored credential looked at, and stays wrong', async ({
    expect,
  }) => {
    const { datahub } = await makeAccess(client)
    const temporary = { sessionToken: true, expires: Date.now() + 3_600_000 }
    const made = await client.post('/v1/credentials', temporary, ADMIN)
    const { secretId, secretKey, sessionToken } = await made.json<Record<string, string>>()
    const access = { secretId: secretId ?? '', secretKey: '', datahub, headers: ADMIN }
    expect(await call(access, secretKey ?? '', sessionToken)).toBe('accepted')
    pass(1_000)
    const wrong = name === 'Basic' ? '401' : 'AuthFailure.TokenFailure'
    expect(await call(access, secretKey ?? '', 'wrong')).toBe(wrong)
    expect(await call(access, secretKey ?? '', sessionToken)).toBe('accepted')
    expect(asked).toHaveLength(2)
  })
})

describe('a task that does not run', () => {
  const change = ({ datahub }: Access, what: string) =>
    client.post(`/v1/datahubs/${datahub}/${what}`, {}, ADMIN)

  it('takes reports 1 s after it was resumed, at the latest', async ({ expect }) => {
    const access = await makeAccess(client)
    const call = wayOf('Basic')
    await change(access, 'pause')
    pass(15_000)
    expect(await call(access, access.secretKey)).toBe('409')
    expect((await change(access, 'resume')).status).toBe(200)
    pass(999)
    expect(await call(access, access.secretKey)).toBe('409')
    pass(1)
    expect(await call(access, access.secretKey)).toBe('accepted')
  })
})
