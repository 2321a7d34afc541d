import { env, exports } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import { RELAY_LINK_NAME } from '../../../worker/link/relay-link.ts'
import { ADMIN, RELAY, testClient } from '../support/client.ts'
import { relayOf } from './relay.ts'

const UPGRADE = { Upgrade: 'websocket' }

describe('GET /internal/link', () => {
  it('with the relay token opens the link', async ({ expect }) => {
    const url = 'https://edge.test/internal/link'
    const response = await exports.default.fetch(url, { headers: { ...UPGRADE, ...RELAY } })
    expect(response.status).toBe(101)
    expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
    const relay = relayOf(response)
    const name = crypto.randomUUID()
    relay.hello(name)
    expect(await relay.next()).toEqual({ type: 'welcome', v: 1 })
    const connected = await env.RELAY_LINK.getByName(RELAY_LINK_NAME).relays()
    expect(connected).toContainEqual({ relay: name })
    relay.close()
  })

  it.for([
    ['no token', {}],
    ['a wrong token', { Authorization: 'Bearer relay-token-of-the-other' }],
    ["the admin's token", ADMIN],
  ] as const)('with %s is refused before anything is opened', async ([, headers], { expect }) => {
    const RELAY_LINK = { getByName: () => expect.unreachable() }
    const client = testClient({ RELAY_LINK })
    const response = await client.fetch('/internal/link', { headers: { ...UPGRADE, ...headers } })
    expect(response.status).toBe(401)
    expect(response.webSocket).toBeNull()
  })

  it.for([{}, { Upgrade: 'h2c' }])(
    'with the upgrade %j answers 426',
    async (upgrade, { expect }) => {
      const headers = { ...upgrade, ...RELAY } as Record<string, string>
      const response = await testClient().fetch('/internal/link', { headers })
      expect(response.status).toBe(426)
      expect(response.headers.get('Upgrade')).toBe('websocket')
      expect(await response.json()).toMatchObject({ type: '/problems/upgrade-required' })
    },
  )

  it('answers 503 when the object can not be reached', async ({ expect }) => {
    const fetch = (): Promise<never> => Promise.reject(new Error('broken'))
    const client = testClient({ RELAY_LINK: { getByName: () => ({ fetch }) } })
    const response = await client.fetch('/internal/link', { headers: { ...UPGRADE, ...RELAY } })
    expect(response.status).toBe(503)
  })
})
