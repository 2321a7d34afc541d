import { exports } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import { testClient } from './support/client.ts'

describe('the app', () => {
  it('is what the entry exports', async ({ expect }) => {
    const response = await exports.default.fetch('https://edge.test/livez')
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ok' })
  })

  it('gives every answer a request id', async ({ expect }) => {
    for (const path of ['/livez', '/nowhere', '/v1/receipts/x', '/']) {
      const response = await testClient().fetch(path)
      expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('answers an unknown address with a problem', async ({ expect }) => {
    const response = await testClient().fetch('/nowhere')
    expect(response.status).toBe(404)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ type: '/problems/route-not-found', status: 404 })
  })

  it.for([
    ['PUT', '/livez', 'GET, HEAD'],
    ['GET', '/internal/outcomes', 'POST'],
    ['HEAD', '/v1/datahubs/datahub-aaaaaaaa/reports', 'POST'],
    ['OPTIONS', '/v1/datahubs', 'GET, HEAD, POST'],
    ['PUT', '/v1/datahubs/datahub-aaaaaaaa', 'GET, HEAD, PATCH, DELETE'],
    ['DELETE', '/v1/receipts/x', 'GET, HEAD'],
    ['PATCH', '/internal/envelopes/x', 'GET, HEAD, DELETE'],
  ] as const)(
    'answers %s %s with 405 and what is allowed',
    async ([method, path, allow], { expect }) => {
      const response = await testClient().fetch(path, { method })
      expect(response.status).toBe(405)
      expect(response.headers.get('Allow')).toBe(allow)
    },
  )

  it('answers HEAD like GET, without a body', async ({ expect }) => {
    const response = await testClient().fetch('/livez', { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })

  it('answers bad settings with 500 and does not show them', async ({ expect }) => {
    const client = testClient({ SHARDS: '3', RECEIPT_KEY: 'short' })
    const response = await client.fetch('/livez')
    expect(response.status).toBe(500)
    const text = await response.text()
    expect(text).toContain('/problems/internal')
    expect(text).not.toContain('SHARDS')
  })

  it('does not start when a shard has no queue', async ({ expect }) => {
    const client = testClient({ SHARDS: '4', QUEUE_3: undefined })
    expect((await client.fetch('/livez')).status).toBe(500)
    const enough = testClient({ SHARDS: '2', QUEUE_3: undefined })
    expect((await enough.fetch('/livez')).status).toBe(200)
  })

  it('answers 503 when the registry can not be read', async ({ expect }) => {
    const down = (): Promise<never> => Promise.reject(new Error('registry is down'))
    const REGISTRY = { getByName: () => ({ addTask: down, listTasks: down, findTask: down }) }
    const client = testClient({ REGISTRY })
    const response = await client.fetch('/v1/datahubs', {
      headers: { Authorization: 'Bearer admin-token-of-the-tests' },
    })
    expect(response.status).toBe(503)
    expect(response.headers.get('Retry-After')).toBe('1')
  })
})
