import { beforeAll, describe, it } from 'vitest'
import { ADMIN, makeAccess, testClient, type TestClient } from '../support/client.ts'
import { patch, walk } from '../support/managing.ts'

let client: TestClient
beforeAll(() => {
  client = testClient()
})

interface Schema {
  schemaId: string
  name: string
  datahubs: string[]
  revision: number
}

const fields = [
  { name: 'id', type: 'INT64', allowNull: false },
  { name: 'paid', type: 'BOOLEAN', default: false },
]

const newName = (): string => `s-${crypto.randomUUID()}`

async function make(): Promise<Schema> {
  return (await client.post('/v1/schemas', { name: newName(), fields }, ADMIN)).json()
}

const call = (method: string, path: string, headers: Record<string, string> = ADMIN) =>
  client.fetch(`/v1/schemas${path}`, { method, headers })

describe('POST /v1/schemas', () => {
  it('makes a schema, with what was left out', async ({ expect }) => {
    const name = newName()
    const response = await client.post('/v1/schemas', { name, fields }, ADMIN)
    expect(response.status).toBe(201)
    const body = await response.json<Schema>()
    expect(body).toEqual({
      schemaId: expect.stringMatching(/^schema-[a-z0-9]{8}$/),
      name,
      fields: [fields[0], { ...fields[1], allowNull: true }],
      datahubs: [],
      created: expect.any(Number),
      changed: expect.any(Number),
      revision: 1,
    })
    expect(response.headers.get('Location')).toBe(`/v1/schemas/${body.schemaId}`)
    const shown = await call('GET', `/${body.schemaId}`)
    expect(await shown.json()).toEqual(body)
    expect(shown.headers.get('ETag')).toBe(response.headers.get('ETag'))
    const again = await client.post('/v1/schemas', { name, fields }, ADMIN)
    expect(await again.json()).toMatchObject({ type: '/problems/name-taken' })
  })

  it.for([
    [{ fields }, 'name'],
    [{ name: 'a', fields: [] }, 'fields'],
    [{ name: 'a', fields: [{ name: 'a', type: 'DATE' }] }, 'fields.0.type'],
    [{ name: 'a', fields: [...fields, { name: 'id', type: 'STRING' }] }, 'fields.2.name'],
    [{ name: 'a', fields: [{ name: 'a', type: 'INT8', default: 128 }] }, 'fields.0.default'],
  ] as const)('refuses %j by its place', async ([input, path], { expect }) => {
    const response = await client.post('/v1/schemas', input, ADMIN)
    expect(await response.json()).toMatchObject({ status: 422, path })
  })
})

describe('GET /v1/schemas', () => {
  it('shows by pages every schema once', async ({ expect }) => {
    const made: string[] = []
    for (let i = 0; i < 5; i++) made.push((await make()).schemaId)
    const shown = await walk<Schema>(client, '/v1/schemas', 'schemas', async () => {
      const { schemaId } = await make()
      await call('DELETE', `/${schemaId}`)
    })
    const ids = shown.map(({ schemaId }) => schemaId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => made.includes(id)).length).toBe(5)
  })
})

describe('PATCH and DELETE /v1/schemas/{schemaId}', () => {
  it('change what is named, with the tag that is current only', async ({ expect }) => {
    const { schemaId, name } = await make()
    const path = `/v1/schemas/${schemaId}`
    const tag = (await call('GET', `/${schemaId}`)).headers.get('ETag') ?? ''
    const other = [{ name: 'only', type: 'STRING' }]
    const changed = await patch(client, path, { fields: other }, { 'If-Match': tag })
    expect(await changed.json()).toMatchObject({ name, fields: other, revision: 2 })
    const late = { 'If-Match': tag }
    expect((await patch(client, path, { name: newName() }, late)).status).toBe(412)
    expect((await call('DELETE', `/${schemaId}`, { ...ADMIN, ...late })).status).toBe(412)
    const now = { ...ADMIN, 'If-Match': changed.headers.get('ETag') ?? '' }
    expect((await call('DELETE', `/${schemaId}`, now)).status).toBe(204)
    for (const method of ['GET', 'DELETE']) {
      const gone = await call(method, `/${schemaId}`)
      expect(await gone.json()).toMatchObject({ type: '/problems/schema-not-found' })
    }
  })

  it('one that is bound shows where, is news for who has it, and is not deleted', async ({
    expect,
  }) => {
    const { schemaId } = await make()
    const tag = (await call('GET', `/${schemaId}`)).headers.get('ETag') ?? ''
    const input = { name: `d${crypto.randomUUID()}`, topic: 't', schemaId }
    const made = await client.post('/v1/datahubs', input, ADMIN)
    const { datahubId } = await made.json<{ datahubId: string }>()
    const news = await call('GET', `/${schemaId}`, { ...ADMIN, 'If-None-Match': tag })
    expect(await news.json()).toMatchObject({ datahubs: [datahubId] })
    const refused = await call('DELETE', `/${schemaId}`)
    expect(await refused.json()).toMatchObject({ status: 409, type: '/problems/schema-in-use' })

    const one = await makeAccess(client, { scopes: ['manage'], datahubs: ['datahub-aaaaaaaa'] })
    const change = await patch(client, `/v1/schemas/${schemaId}`, { fields }, one.headers)
    expect(change.status).toBe(403)
    await patch(client, `/v1/datahubs/${datahubId}`, { schemaId: null })
    expect((await call('DELETE', `/${schemaId}`)).status).toBe(204)
  })
})
