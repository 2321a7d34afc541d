// What a caller without valid credentials can make the worker do: nothing that is stored, queued or charged for.
import { env } from 'cloudflare:workers'
import { describe, it, vi } from 'vitest'
import { createApp } from '../../../worker/app.ts'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { servicesFor } from '../../../worker/services.ts'
import { ADMIN, makeAccess, testClient, type TestClient } from '../support/client.ts'
import { signedCall } from '../tencent/sign.ts'

/** A binding, or the stub of an object, of which each call is noted, and fails. */
function noted(path: string, calls: string[]): unknown {
  return new Proxy(
    {},
    {
      get(_, method) {
        if (typeof method === 'symbol' || method === 'then') return undefined
        const name = `${path}.${method}`
        // A stub is a name; it costs nothing until it is called.
        if (method === 'getByName') return () => noted(path, calls)
        return () => {
          calls.push(name)
          return Promise.reject(new Error(`${name} was called`))
        }
      },
    },
  )
}

function watchedClient(): { client: TestClient; calls: string[] } {
  const calls: string[] = []
  const bindings = Object.entries(env).filter(([, value]) => typeof value === 'object')
  const watched = bindings.map(([name]) => [name, noted(name, calls)])
  return { client: testClient(Object.fromEntries(watched)), calls }
}

const forgedId = `AKID${'a'.repeat(20)}${'0'.repeat(12)}`
const forgedReceipt = 'A'.repeat(43)

const CALLERS: readonly [who: string, headers: Record<string, string>][] = [
  ['nobody', {}],
  ['a forged SecretId', { Authorization: `Basic ${btoa(`${forgedId}:secret`)}` }],
  ['no SecretId at all', { Authorization: `Basic ${btoa('admin:admin')}` }],
  ['a wrong token', { Authorization: 'Bearer wrong-token-of-the-tests' }],
  ['a garbled header', { Authorization: 'Basic %%%' }],
]

/** Of every route, with its parameters filled in; `ALL` is what answers other methods. */
function routes(): { method: string; path: string }[] {
  return createApp(servicesFor)
    .routes.filter(({ path }) => !path.includes('*'))
    .map(({ method, path }) => ({
      method: method === 'ALL' ? 'PUT' : method,
      path: path
        .replace(':datahub', 'datahub-aaaaaaaa')
        .replace(':receipt', forgedReceipt)
        .replace(/:\w+/g, 'x'),
    }))
}

/** What each route would take, so that it is refused for the caller and nothing else. */
const BODIES: Readonly<Record<string, unknown>> = {
  '/v1/receipts/query': { receipts: [forgedReceipt, forgedReceipt] },
  '/v1/datahubs/datahub-aaaaaaaa/reports': { reports: [{ value: 'x' }] },
  '/v1/datahubs': { name: 'orders', topic: 'orders' },
  '/v1/credentials': { name: 'a' },
  '/internal/outcomes': { outcomes: [] },
  '/internal/lookups': { ids: [] },
}

describe('without valid credentials', () => {
  it.for(CALLERS)(
    '%s causes no call of any binding, on any route',
    async ([, headers], { expect }) => {
      const { client, calls } = watchedClient()
      const seen = routes()
      expect(seen.length).toBeGreaterThan(30)
      for (const { method, path } of seen) {
        for (const query of ['', '?cursor=x&wait=1&limit=1']) {
          const body = ['GET', 'HEAD'].includes(method) ? null : JSON.stringify(BODIES[path] ?? {})
          await client.fetch(`${path}${query}`, {
            method,
            body,
            headers: {
              'Content-Type': 'application/json',
              Upgrade: 'websocket',
              Prefer: 'wait=1',
              'Idempotency-Key': '"a"',
              'X-TC-Action': 'SendMessage',
              'X-TC-Version': '2019-08-19',
              'X-TC-Timestamp': String(Math.floor(Date.now() / 1_000)),
              ...headers,
            },
          })
          expect([method, path, calls]).toEqual([method, path, []])
        }
      }
      expect(client.sent).toEqual([])
    },
  )

  it('a signed call of a forged SecretId causes none either, whatever the action', async ({
    expect,
  }) => {
    const { client, calls } = watchedClient()
    const timestamp = Math.floor(Date.now() / 1_000)
    const body = JSON.stringify({ DataHubId: 'datahub-aaaaaaaa', Message: [{ Body: 'x' }] })
    for (const action of ['SendMessage', 'CreateDatahubTask', 'DescribeTopic', 'None']) {
      const headers = { 'X-TC-Action': action }
      const call = await signedCall(body, { secretId: forgedId, timestamp, headers })
      const response = await client.fetch(call)
      expect(await response.text()).toContain('"Error"')
    }
    expect(calls).toEqual([])
  })

  it('a genuine receipt is one: it asks the status store, and nothing else', async ({ expect }) => {
    const plain = testClient()
    const access = await makeAccess(plain)
    const path = `/v1/datahubs/${access.datahub}/reports`
    const posted = await plain.post(path, { reports: [{ value: 'x' }] }, access.headers)
    const { receipt } = await posted.json<{ receipt: string }>()
    const { client, calls } = watchedClient()
    await client.fetch(`/v1/receipts/${receipt}`)
    expect(new Set(calls.map((call) => call.split('.')[0]))).toEqual(new Set(['STATUS']))
  })

  it('a genuine SecretId with a wrong secret is looked up once a second for all its calls, and nothing else', async ({
    expect,
    onTestFinished,
  }) => {
    const { secretId, datahub } = await makeAccess(testClient())
    const registry = env.REGISTRY.getByName(REGISTRY_NAME)
    const calls: string[] = []
    const REGISTRY = {
      getByName: () => ({
        findCredential(id: string) {
          calls.push(id)
          return registry.findCredential(id)
        },
      }),
    }
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const client = testClient({ REGISTRY })
    const headers = { Authorization: `Basic ${btoa(`${secretId}:wrong`)}` }
    for (let i = 0; i < 3; i++) {
      const path = `/v1/datahubs/${datahub}/reports`
      const response = await client.post(path, { reports: [{ value: 'x' }] }, headers)
      expect(response.status).toBe(401)
      const timestamp = Math.floor(Date.now() / 1_000)
      const signed = await signedCall('{}', { secretId, secretKey: 'wrong', timestamp })
      expect(await (await client.fetch(signed)).text()).toContain('SignatureFailure')
    }
    // Time stands still.
    expect(calls).toEqual([secretId])
    expect(client.sent).toEqual([])
  })

  it('the calls of who may are noted, so that none could have been missed', async ({ expect }) => {
    const { client, calls } = watchedClient()
    await client.fetch('/v1/datahubs', { headers: ADMIN })
    await client.fetch('/v1/topics', { headers: ADMIN })
    expect(new Set(calls.map((call) => call.split('.')[0]))).toEqual(
      new Set(['REGISTRY', 'RELAY_LINK']),
    )
  })
})
