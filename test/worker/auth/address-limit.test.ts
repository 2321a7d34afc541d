import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { describe, it, vi } from 'vitest'
import { createApp } from '../../../worker/app.ts'
import { addressKey } from '../../../worker/auth/address-limit.ts'
import { servicesFor } from '../../../worker/services.ts'
import { RELAY, testClient } from '../support/client.ts'

/** A limiter that lets so many calls of each key pass, and remembers the keys. */
function limiter(passes: number) {
  const keys: string[] = []
  return {
    keys,
    async limit({ key }: { key: string }) {
      keys.push(key)
      return { success: keys.filter((known) => known === key).length <= passes }
    },
  }
}

const clientWith = (ADDRESS_LIMIT: unknown, more: Record<string, unknown> = {}) =>
  testClient({ ADDRESS_RATE_LIMIT: 'on', ADDRESS_LIMIT, ...more })

const from = (address: string): RequestInit => ({ headers: { 'CF-Connecting-IP': address } })

describe('the limit of an address', () => {
  it('counts every public address, before anything else is looked at', async ({ expect }) => {
    const routes = createApp(servicesFor).routes
    const paths = new Set(routes.map(({ path }) => path).filter((path) => !path.includes('*')))
    const open = (path: string): boolean => path === '/livez'
    for (const path of [...paths, '/nowhere', '/livez/', '/internal', '/internal/x']) {
      const none = limiter(0)
      const response = await clientWith(none).fetch(path, from('192.0.2.1'))
      expect([path, none.keys.length]).toEqual([path, open(path) ? 0 : 1])
      if (open(path) || path === '/') continue
      expect(response.status).toBe(429)
      expect(response.headers.get('Retry-After')).toBe('10')
      expect(response.headers.get('Content-Type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({ type: '/problems/address-rate-limited' })
    }
  })

  it('is answered in Tencent’s envelope on /, whatever the method', async ({ expect }) => {
    for (const method of ['POST', 'GET', 'PUT']) {
      const headers = { 'CF-Connecting-IP': '192.0.2.1', 'X-TC-TraceId': 'trace-1' }
      const response = await clientWith(limiter(0)).fetch('/', { method, headers })
      expect(response.status).toBe(200)
      expect(response.headers.get('Content-Type')).toBe('application/json')
      expect(response.headers.get('X-TC-TraceId')).toBe('trace-1')
      const RequestId = response.headers.get('X-Request-Id')
      expect(await response.json()).toEqual({
        Response: {
          Error: {
            Code: 'RequestLimitExceeded.IPLimitExceeded',
            Message: expect.stringContaining('from this address'),
          },
          RequestId,
        },
      })
      expect(RequestId).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('leaves health checks and the relay alone', async ({ expect }) => {
    const client = clientWith(limiter(0))
    expect((await client.fetch('/livez', from('192.0.2.1'))).status).toBe(200)
    const answer = await client.post('/internal/lookups', { ids: [] }, RELAY)
    expect(answer.status).not.toBe(429)
    const forged = { Authorization: 'Bearer another-token-than-the-relays' }
    const refused = await client.post('/internal/lookups', { ids: [] }, forged)
    expect(refused.status).toBe(429)
    expect((await client.fetch('/v1/topics', { headers: RELAY })).status).toBe(429)
  })

  it('holds for each address alone, and for callers without one together', async ({ expect }) => {
    const one = limiter(1)
    const client = clientWith(one)
    const status = async (init: RequestInit) => (await client.fetch('/nowhere', init)).status
    expect(await status(from('192.0.2.1'))).toBe(404)
    expect(await status(from('192.0.2.1'))).toBe(429)
    expect(await status(from('192.0.2.2'))).toBe(404)
    expect(await status(from('2001:db8::1'))).toBe(404)
    expect(await status(from('2001:db8::2'))).toBe(429)
    expect(await status({})).toBe(404)
    expect(await status({})).toBe(429)
  })

  it('is not asked when it is off, which is how the tests run', async ({ expect }) => {
    const none = limiter(0)
    const client = testClient({ ADDRESS_LIMIT: none })
    expect((await client.fetch('/nowhere')).status).toBe(404)
    expect(none.keys).toEqual([])
  })

  it('lets calls pass while it fails, and logs that at most once a second', async ({ expect }) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const warn = vi.spyOn(console, 'warn')
    const client = clientWith({ limit: () => Promise.reject(new Error('limiter is down')) })
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push((await client.fetch('/nowhere')).status)
    const lines = warn.mock.calls.flat().filter((line) => String(line).includes('limiter is down'))
    warn.mockRestore()
    vi.useRealTimers()
    expect(statuses).toEqual([404, 404, 404])
    expect(lines).toHaveLength(1)
  })

  it('logs its refusals at most once a second, and no address', async ({ expect }) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const info = vi.spyOn(console, 'info')
    const client = clientWith(limiter(0))
    for (const second of [0, 1]) {
      vi.setSystemTime(Date.now() + second * 1_000)
      for (let i = 0; i < 3; i++) await client.fetch('/v1/topics', from('192.0.2.1'))
    }
    const lines = info.mock.calls.flat().map(String)
    info.mockRestore()
    vi.useRealTimers()
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain('address_rate_limited')
    expect(lines.join()).not.toContain('192.0.2.1')
  })

  it('does not start without its binding', async ({ expect }) => {
    expect((await clientWith(undefined).fetch('/livez')).status).toBe(500)
    expect((await testClient({ ADDRESS_LIMIT: undefined }).fetch('/livez')).status).toBe(200)
  })

  it('is counted by the platform’s binding', async ({ expect }) => {
    const client = clientWith((env as unknown as Record<string, unknown>)['THREE_A_MINUTE'])
    const address = `test-${crypto.randomUUID()}`
    const statuses = []
    // Two windows' worth and one, for a minute that ends meanwhile.
    for (let i = 0; i < 7; i++) {
      statuses.push((await client.fetch('/nowhere', from(address))).status)
    }
    expect(statuses.slice(0, 3)).toEqual([404, 404, 404])
    expect(statuses).toContain(429)
  })

  it('takes the binding of wrangler.toml', async ({ expect }) => {
    const client = testClient({ ADDRESS_RATE_LIMIT: 'on' })
    expect((await client.fetch('/nowhere', from('192.0.2.1'))).status).toBe(404)
  })
})

describe('what is counted as one address', () => {
  it.for([
    ['192.0.2.1', '192.0.2.1'],
    ['none', 'none'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:ffff::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1::2:3:4:5:192.0.2.1', '1:0:2:3::/64'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['not:an:address', 'not:an:address'],
  ] as const)('of %s is %s', ([address, expected], { expect }) => {
    expect(addressKey(address)).toBe(expected)
  })

  it('is the same for two IPv6 addresses exactly when their first 64 bits are', ({ expect }) => {
    const group = fc.constantFrom('0', '1', 'ab', 'ffff')
    const half = fc.tuple(group, group, group, group).map((groups) => groups.join(':'))
    // Those that carry an IPv4 address are counted by that.
    const mapped = /^0:0:0:0:0:ffff:/
    fc.assert(
      fc.property(half, half, half, half, (net, other, host, host2) => {
        fc.pre(!mapped.test(`${net}:${host}`) && !mapped.test(`${net}:${host2}`))
        fc.pre(!mapped.test(`${other}:${host}`))
        const key = addressKey(`${net}:${host}`)
        expect(addressKey(`${net}:${host2}`)).toBe(key)
        expect(addressKey(`${other}:${host}`) === key).toBe(net === other)
      }),
    )
  })
})
