import { beforeAll, describe, it } from 'vitest'
import {
  ADMIN,
  confirmTarget,
  makeAccess,
  RELAY,
  testClient,
  type TestClient,
} from '../support/client.ts'

let client: TestClient
beforeAll(() => {
  client = testClient()
})

describe('POST /v1/datahubs', () => {
  it('makes a task with an access point, which runs once a relay has found its topic', async ({
    expect,
  }) => {
    const response = await client.post('/v1/datahubs', { name: 'orders', topic: 'unseen' }, ADMIN)
    expect(response.status).toBe(201)
    const body = await response.json()
    expect(body).toEqual({
      datahubId: expect.stringMatching(/^datahub-[a-z0-9]{8}$/),
      taskId: expect.stringMatching(/^task-[a-z0-9]{8}$/),
      name: 'orders',
      topic: 'unseen',
      instanceId: 'ckafka-devlocal',
      status: 0,
    })
    const listed = async (): Promise<unknown[]> => {
      const list = await client.fetch('/v1/datahubs', { headers: ADMIN })
      return (await list.json<{ datahubs: unknown[] }>()).datahubs
    }
    expect(await listed()).toContainEqual(body)
    await confirmTarget('unseen')
    expect(await listed()).toContainEqual({
      ...(body as object),
      status: 1,
      partitions: 3,
      maxMessageBytes: 1_048_588,
    })
  })

  it('refuses a name that is taken', async ({ expect }) => {
    await client.post('/v1/datahubs', { name: 'twice', topic: 'a' }, ADMIN)
    const response = await client.post('/v1/datahubs', { name: 'twice', topic: 'b' }, ADMIN)
    expect(response.status).toBe(409)
  })

  it.for([
    ['a name that starts with a digit', { name: '1st', topic: 't' }, 'name'],
    ['a name of 65', { name: 'a'.repeat(65), topic: 't' }, 'name'],
    ['no topic', { name: 'a' }, 'topic'],
    ['a topic of our own', { name: 'a', topic: 'edgehub-ledger' }, 'topic'],
    ["a topic of Kafka's own", { name: 'a', topic: '__consumer_offsets' }, 'topic'],
    ['another instance', { name: 'a', topic: 't', instance: 'ckafka-aaaaaaaa' }, 'instance'],
    ['an unknown field', { name: 'a', topic: 't', foo: 1 }, 'foo'],
  ] as const)('refuses %s', async ([, body, path], { expect }) => {
    const response = await client.post('/v1/datahubs', body, ADMIN)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ path })
  })
})

describe('POST /v1/credentials', () => {
  it('shows the secret once, and lists credentials without', async ({ expect }) => {
    const response = await client.post('/v1/credentials', {}, ADMIN)
    expect(response.status).toBe(201)
    const body = await response.json<{ secretId: string; secretKey: string }>()
    expect(body).toEqual({
      secretId: expect.stringMatching(/^AKID[A-Za-z0-9]{20}[0-9a-f]{12}$/),
      secretKey: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
      scopes: ['send'],
      datahubs: 'all',
    })
    const list = await (await client.fetch('/v1/credentials', { headers: ADMIN })).text()
    expect(list).toContain(body.secretId)
    expect(list).not.toContain(body.secretKey)
    expect(list).not.toContain('sealed')
  })

  it('refuses an unknown scope by its place', async ({ expect }) => {
    const response = await client.post('/v1/credentials', { scopes: ['send', 'fly'] }, ADMIN)
    expect(await response.json()).toMatchObject({ status: 422, path: 'scopes.1' })
  })
})

describe('the control plane', () => {
  it('is for the admin alone', async ({ expect }) => {
    const { headers } = await makeAccess(client)
    for (const path of ['/v1/datahubs', '/v1/credentials']) {
      for (const stranger of [{}, RELAY, headers] as Record<string, string>[]) {
        expect((await client.post(path, {}, stranger)).status).toBe(401)
        expect((await client.fetch(path, { headers: stranger })).status).toBe(401)
      }
    }
  })
})
