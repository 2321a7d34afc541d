import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, it } from 'vitest'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { ADMIN, makeAccess, RELAY, testClient, type TestClient } from '../support/client.ts'
import { patch, walk } from '../support/managing.ts'

let client: TestClient
beforeAll(() => {
  client = testClient()
})

interface Made {
  secretId: string
  secretKey: string
  sessionToken?: string
  olderSecrets: number[]
  revision: number
}

async function make(input: object = {}): Promise<Made> {
  return (await client.post('/v1/credentials', input, ADMIN)).json()
}

const basic = ({ secretId, secretKey }: Pick<Made, 'secretId' | 'secretKey'>) => ({
  Authorization: `Basic ${btoa(`${secretId}:${secretKey}`)}`,
})

const call = (method: string, path: string, headers: Record<string, string> = ADMIN) =>
  client.fetch(`/v1/credentials${path}`, { method, headers })

/** Whether it may read topics: a route that needs a credential and no relay. */
async function isGood(credential: Made, headers: Record<string, string> = {}): Promise<boolean> {
  const response = await client.fetch('/v1/datahubs', {
    headers: { ...basic(credential), ...headers },
  })
  return response.status !== 401
}

describe('POST /v1/credentials', () => {
  it('shows the secret once, and neither the credential nor the list of them does', async ({
    expect,
  }) => {
    const response = await client.post('/v1/credentials', {}, ADMIN)
    expect(response.status).toBe(201)
    const body = await response.json<Made>()
    expect(body).toEqual({
      secretId: expect.stringMatching(/^AKID[A-Za-z0-9]{20}[0-9a-f]{12}$/),
      secretKey: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
      name: '',
      scopes: ['send'],
      datahubs: 'all',
      disabled: false,
      temporary: false,
      olderSecrets: [],
      created: expect.any(Number),
      changed: expect.any(Number),
      revision: 1,
    })
    expect(response.headers.get('Location')).toBe(`/v1/credentials/${body.secretId}`)
    const one = await call('GET', `/${body.secretId}`)
    expect(one.headers.get('ETag')).toBe(response.headers.get('ETag'))
    for (const text of [await one.text(), await (await call('GET', '?limit=1000')).text()]) {
      expect(text).toContain(body.secretId)
      expect(text).not.toContain(body.secretKey)
      expect(text).not.toContain('sealed')
    }
  })

  it.for([
    [{ scopes: ['send', 'fly'] }, 'scopes.1'],
    [{ scopes: [] }, 'scopes'],
    [{ datahubs: ['orders'] }, 'datahubs'],
    [{ name: 'half a pair \ud800' }, 'name'],
    [{ expires: 1 }, 'expires'],
    [{ sessionToken: true }, 'expires'],
    [{ secretKey: 'mine' }, 'secretKey'],
  ] as const)('refuses %j by its place', async ([input, path], { expect }) => {
    const response = await client.post('/v1/credentials', input, ADMIN)
    expect(response.status).toBe(422)
    const { path: where } = await response.json<{ path: string }>()
    expect(where.split('.')[0]).toBe(path.split('.')[0])
  })
})

describe('a temporary credential', () => {
  it('is good with its token only, and nothing tells the token from the key', async ({
    expect,
  }) => {
    const expires = Date.now() + 60_000
    const made = await make({ scopes: ['manage'], sessionToken: true, expires })
    const token = made.sessionToken ?? ''
    expect(token).toMatch(/^\w{64}$/)
    expect(await isGood(made, { 'X-TC-Token': token })).toBe(true)
    const other = await make({ scopes: ['manage'], sessionToken: true, expires })
    const wrong = [
      [made, {}],
      [made, { 'X-TC-Token': '' }],
      [made, { 'X-TC-Token': other.sessionToken ?? '' }],
      [made, { 'X-TC-Token': `${token}x` }],
      [{ ...made, secretKey: 'wrong' }, { 'X-TC-Token': token }],
      [{ ...made, secretId: made.secretId.replace(/.$/, 'x') }, { 'X-TC-Token': token }],
    ] as const
    const details = new Set<string>()
    for (const [credential, headers] of wrong) {
      const all: Record<string, string> = { ...basic(credential), ...headers }
      const response = await client.fetch('/v1/datahubs', { headers: all })
      expect(response.status).toBe(401)
      details.add((await response.json<{ detail: string }>()).detail)
    }
    expect(details.size).toBe(1)
    const shown = await (await call('GET', `/${made.secretId}`)).json()
    expect(shown).toMatchObject({ temporary: true, expires })
    expect(JSON.stringify(shown)).not.toContain(token)
  })

  it('needs its token on every route that takes Basic', async ({ expect }) => {
    const expires = Date.now() + 60_000
    const made = await make({ scopes: ['send', 'query'], sessionToken: true, expires })
    const calls = [
      ['POST', '/v1/datahubs/datahub-nothing0/reports'],
      ['GET', '/v1/topics'],
      ['GET', '/v1/messages'],
    ] as const
    for (const [method, path] of calls) {
      const headers = { ...basic(made), 'Content-Type': 'application/json' }
      const init = { method, ...(method === 'POST' && { body: '{"reports":[{}]}' }) }
      expect((await client.fetch(path, { ...init, headers })).status).toBe(401)
      const withToken = { ...headers, 'X-TC-Token': made.sessionToken ?? '' }
      expect((await client.fetch(path, { ...init, headers: withToken })).status).not.toBe(401)
    }
  })
})

describe('PATCH and DELETE /v1/credentials/{secretId}', () => {
  it('change what is named; null takes the expiry away', async ({ expect }) => {
    const { secretId } = await make({ expires: Date.now() + 60_000 })
    const changed = await patch(client, `/v1/credentials/${secretId}`, {
      name: 'shop',
      scopes: ['send', 'query'],
      datahubs: ['datahub-aaaaaaaa'],
      disabled: true,
      expires: null,
    })
    const body = await changed.json<object>()
    expect(body).toMatchObject({
      name: 'shop',
      scopes: ['send', 'query'],
      datahubs: ['datahub-aaaaaaaa'],
      disabled: true,
    })
    expect(body).not.toHaveProperty('expires')
    const again = await patch(client, `/v1/credentials/${secretId}`, { disabled: null })
    expect(await again.json()).toMatchObject({ status: 422, path: 'disabled' })
  })

  it('nothing is changed when it was changed meanwhile', async ({ expect }) => {
    const { secretId } = await make()
    const tag = (await call('GET', `/${secretId}`)).headers.get('ETag') ?? ''
    const path = `/v1/credentials/${secretId}`
    const race = await Promise.all(
      ['a', 'b', 'c'].map((name) => patch(client, path, { name }, { 'If-Match': tag })),
    )
    expect(race.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412, 412])
    for (const method of ['DELETE', 'POST']) {
      const where = method === 'POST' ? `/${secretId}/rotate` : `/${secretId}`
      expect((await call(method, where, { ...ADMIN, 'If-Match': tag })).status).toBe(412)
    }
    expect((await call('GET', `/${secretId}`)).status).toBe(200)
  })

  it('a deleted one is not there', async ({ expect }) => {
    const { secretId } = await make()
    const deleted = await call('DELETE', `/${secretId}`)
    expect([deleted.status, await deleted.text()]).toEqual([204, ''])
    for (const [method, where] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
    ] as const) {
      const response = await call(method, `/${secretId}${where}`)
      expect(await response.json()).toMatchObject({ type: '/problems/credential-not-found' })
    }
  })
})

describe('POST /v1/credentials/{secretId}/rotate', () => {
  it('shows a new secret once; both are good for a while', async ({ expect }) => {
    const made = await make({ scopes: ['manage'] })
    const response = await call('POST', `/${made.secretId}/rotate`)
    expect(response.status).toBe(200)
    const rotated = await response.json<Made>()
    expect(rotated.secretKey).not.toBe(made.secretKey)
    const [until = 0] = rotated.olderSecrets
    expect(until - Date.now()).toBeGreaterThan(86_000_000)
    expect(await isGood(rotated)).toBe(true)
    expect(await isGood(made)).toBe(true)
    const text = await (await call('GET', `/${made.secretId}`)).text()
    expect(text).not.toContain(rotated.secretKey)
  })

  it('ends the one of before at once where it is not to be kept', async ({ expect }) => {
    const made = await make({ scopes: ['manage'] })
    const path = `/v1/credentials/${made.secretId}/rotate`
    const rotated = await (await client.post(path, { keepSeconds: 0 }, ADMIN)).json<Made>()
    expect(await isGood(rotated)).toBe(true)
    expect(await isGood(made)).toBe(false)
  })

  it('takes a body in JSON or none', async ({ expect }) => {
    const { secretId } = await make()
    const path = `/v1/credentials/${secretId}/rotate`
    const headers = { ...ADMIN, 'Content-Type': 'application/json' }
    expect((await client.fetch(path, { method: 'POST', headers })).status).toBe(200)
    const text = await client.fetch(path, { method: 'POST', headers: ADMIN, body: 'keepSeconds=0' })
    expect(text.status).toBe(415)
    const bad = await client.post(path, { keepSeconds: -1 }, ADMIN)
    expect(await bad.json()).toMatchObject({ status: 422, path: 'keepSeconds' })
  })
})

describe('POST /v1/credentials/reseal', () => {
  it('counts what it sealed, and is for the admin alone', async ({ expect }) => {
    const response = await call('POST', '/reseal')
    expect(await response.json()).toEqual({ resealed: 0, total: expect.any(Number) })
    const { headers } = await makeAccess(client, { scopes: ['manage'] })
    expect((await call('POST', '/reseal', headers)).status).toBe(401)
  })
})

describe('GET /v1/credentials', () => {
  it('shows by pages every credential once', async ({ expect }) => {
    const made: string[] = []
    for (let i = 0; i < 5; i++) made.push((await make()).secretId)
    const shown = await walk<Made>(client, '/v1/credentials', 'credentials', async () => {
      await make()
    })
    const ids = shown.map(({ secretId }) => secretId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => made.includes(id))).toEqual(expect.arrayContaining(made))
  })
})

describe('a credential with the scope manage', () => {
  it('gives no more than it has, and sees those that have no more', async ({ expect }) => {
    const { headers, secretId, datahub } = await makeAccess(client, {
      scopes: ['send', 'manage'],
      datahubs: ['datahub-aaaaaaaa'],
    })
    const own = ['datahub-aaaaaaaa']
    const post = (input: object) => client.post('/v1/credentials', input, headers)
    const given = await post({ scopes: ['send'], datahubs: own })
    expect(given.status).toBe(201)
    const { secretId: child } = await given.json<Made>()
    for (const more of [
      { scopes: ['send'], datahubs: 'all' },
      { scopes: ['send'], datahubs: [datahub] },
      { scopes: ['query'], datahubs: own },
    ]) {
      expect((await post(more)).status).toBe(403)
      expect((await patch(client, `/v1/credentials/${child}`, more, headers)).status).toBe(403)
      expect((await patch(client, `/v1/credentials/${secretId}`, more, headers)).status).toBe(403)
    }
    const { secretId: stranger } = await make()
    const list = await (await call('GET', '', headers)).text()
    expect([list.includes(child), list.includes(stranger)]).toEqual([true, false])
    expect((await call('GET', `/${stranger}`, headers)).status).toBe(404)
    expect((await call('DELETE', `/${stranger}`, headers)).status).toBe(404)
    expect((await call('DELETE', `/${child}`, headers)).status).toBe(204)
  })
})

describe('the control plane', () => {
  const PATHS = ['/v1/datahubs', '/v1/credentials', '/v1/schemas']

  it.for([
    ['was deleted', 401, (id: string) => call('DELETE', `/${id}`)],
    [
      'was disabled',
      401,
      (id: string) => patch(client, `/v1/credentials/${id}`, { disabled: true }),
    ],
    [
      'has expired',
      401,
      (id: string) =>
        runInDurableObject(env.REGISTRY.getByName(REGISTRY_NAME), (_, { storage: { sql } }) => {
          sql.exec('UPDATE credentials SET expires = 1 WHERE secret_id = ?', id)
        }),
    ],
    [
      'lost the scope manage',
      403,
      (id: string) => patch(client, `/v1/credentials/${id}`, { scopes: ['send'] }),
    ],
  ] as const)(
    'is closed at once to a credential that %s, with %i, though its location remembers it',
    async ([, status, change], { expect }) => {
      const { headers, secretId, datahub } = await makeAccess(client, { scopes: ['manage'] })
      expect((await client.fetch('/v1/datahubs', { headers })).status).toBe(200)
      await change(secretId)
      for (const path of PATHS) {
        expect([path, (await client.fetch(path, { headers })).status]).toEqual([path, status])
      }
      const input = { name: `n${crypto.randomUUID()}`, topic: 't' }
      for (const response of [
        await client.post('/v1/datahubs', input, headers),
        await client.fetch(`/v1/datahubs/${datahub}`, { headers }),
        await client.fetch(`/v1/datahubs/${datahub}/pause`, { method: 'POST', headers }),
        await client.post('/v1/credentials', {}, headers),
      ]) {
        expect(response.status).toBe(status)
      }
    },
  )

  it('is closed to strangers and to relays', async ({ expect }) => {
    const forged = basic({ secretId: `AKID${'a'.repeat(32)}`, secretKey: 'x' })
    for (const path of [...PATHS, '/v1/audit-log']) {
      for (const stranger of [{}, RELAY, forged] as Record<string, string>[]) {
        const response = await client.fetch(path, { headers: stranger })
        expect(response.status).toBe(401)
        expect(response.headers.get('WWW-Authenticate')).toContain('Basic')
      }
    }
  })

  it('is forbidden to credentials without the scope manage', async ({ expect }) => {
    const { headers } = await makeAccess(client, { scopes: ['send', 'query'] })
    for (const path of PATHS) {
      expect((await client.fetch(path, { headers })).status).toBe(403)
      expect((await client.post(path, {}, headers)).status).toBe(403)
    }
  })
})
