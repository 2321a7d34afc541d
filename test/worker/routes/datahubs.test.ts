import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, it } from 'vitest'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { ADMIN, confirmTarget, makeAccess, testClient, type TestClient } from '../support/client.ts'
import { patch, walk } from '../support/managing.ts'

let client: TestClient
beforeAll(() => {
  client = testClient()
})

interface Datahub {
  datahubId: string
  name: string
  revision: number
  status: number
  state: string
}

let drawn = 0
const newName = (): string => `d${drawn++}-${crypto.randomUUID().slice(0, 8)}`

async function make(topic = `t-${crypto.randomUUID()}`): Promise<Datahub & { topic: string }> {
  const response = await client.post('/v1/datahubs', { name: newName(), topic }, ADMIN)
  return response.json()
}

/** One that takes reports. */
async function makeRunning() {
  const made = await make()
  await confirmTarget(made.topic)
  return made
}

const get = (id: string, headers: Record<string, string> = ADMIN) =>
  client.fetch(`/v1/datahubs/${id}`, { headers })

const act = (id: string, word: string, headers: Record<string, string> = {}) =>
  client.fetch(`/v1/datahubs/${id}/${word}`, { method: 'POST', headers: { ...ADMIN, ...headers } })

const remove = (id: string, headers: Record<string, string> = {}) =>
  client.fetch(`/v1/datahubs/${id}`, { method: 'DELETE', headers: { ...ADMIN, ...headers } })

describe('POST /v1/datahubs', () => {
  it('makes a task with an access point, which runs once a relay has found its topic', async ({
    expect,
  }) => {
    await make()
    const name = newName()
    const input = { name, topic: 'unseen', description: 'for a test', qpsLimit: 7 }
    const response = await client.post('/v1/datahubs', input, ADMIN)
    expect(response.status).toBe(201)
    const body = await response.json<Datahub>()
    expect(body).toEqual({
      datahubId: expect.stringMatching(/^datahub-[a-z0-9]{8}$/),
      taskId: expect.stringMatching(/^task-[a-z0-9]{8}$/),
      name,
      description: 'for a test',
      topic: 'unseen',
      instanceId: 'ckafka-devlocal',
      status: 0,
      state: 'creating',
      qpsLimit: 7,
      created: expect.any(Number),
      changed: expect.any(Number),
      revision: 1,
    })
    expect(response.headers.get('Location')).toBe(`/v1/datahubs/${body.datahubId}`)
    await confirmTarget('unseen')
    const running = { status: 1, state: 'running', partitions: 3, maxMessageBytes: 1_048_588 }
    expect(await (await get(body.datahubId)).json()).toMatchObject({ ...input, ...running })
    const list = await client.fetch(`/v1/datahubs?name=${name}`, { headers: ADMIN })
    expect(await list.json()).toMatchObject({ datahubs: [{ name, ...running }] })
  })

  it('refuses a name that is taken', async ({ expect }) => {
    const { name } = await make()
    const response = await client.post('/v1/datahubs', { name, topic: 'b' }, ADMIN)
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ type: '/problems/name-taken', path: 'name' })
  })

  it.for([
    ['a name that starts with a digit', { name: '1st', topic: 't' }, 'name'],
    ['a name of 65', { name: 'a'.repeat(65), topic: 't' }, 'name'],
    ['no topic', { name: 'a' }, 'topic'],
    ['a topic of our own', { name: 'a', topic: 'edgehub-ledger' }, 'topic'],
    ["a topic of Kafka's own", { name: 'a', topic: '__consumer_offsets' }, 'topic'],
    ['another instance', { name: 'a', topic: 't', instance: 'ckafka-aaaaaaaa' }, 'instance'],
    ['no rate at all', { name: 'a', topic: 't', qpsLimit: 0 }, 'qpsLimit'],
    ['half a surrogate pair', { name: 'a', topic: 't', description: '\udc00' }, 'description'],
    ['an unknown field', { name: 'a', topic: 't', foo: 1 }, 'foo'],
  ] as const)('refuses %s', async ([, body, path], { expect }) => {
    const response = await client.post('/v1/datahubs', body, ADMIN)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ path })
  })

  it('refuses a schema that is not there', async ({ expect }) => {
    const input = { name: newName(), topic: 't', schemaId: 'schema-nothing0' }
    expect((await client.post('/v1/datahubs', input, ADMIN)).status).toBe(404)
  })
})

describe('GET /v1/datahubs', () => {
  it('shows by pages every datahub once, oldest first, while others are made and deleted', async ({
    expect,
  }) => {
    const made: string[] = []
    for (let i = 0; i < 5; i++) made.push((await make()).datahubId)
    const shown = await walk<Datahub>(client, '/v1/datahubs?name=d', 'datahubs', async () => {
      const { datahubId } = await make()
      await remove(datahubId)
    })
    const ids = shown.map(({ datahubId }) => datahubId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => made.includes(id))).toEqual(made)
  })

  it.for([
    ['limit=0', 422, 'invalid-value'],
    ['page=1', 422, 'unknown-field'],
    ['cursor=abc', 400, 'invalid-cursor'],
  ] as const)('answers ?%s with %i', async ([query, status, type], { expect }) => {
    const response = await client.fetch(`/v1/datahubs?${query}`, { headers: ADMIN })
    expect(await response.json()).toMatchObject({ status, type: `/problems/${type}` })
  })
})

describe('PATCH /v1/datahubs/{datahub}', () => {
  it('changes what is named, as JSON or as a merge patch, and nothing else', async ({ expect }) => {
    const { datahubId, name, topic } = await makeRunning()
    const path = `/v1/datahubs/${datahubId}`
    for (const [type, description] of [
      ['application/json', 'one'],
      ['application/merge-patch+json', 'two'],
    ] as const) {
      const response = await patch(client, path, { description }, { 'Content-Type': type })
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({ name, topic, description, status: 1 })
    }
    expect((await patch(client, path, {}, { 'Content-Type': 'text/plain' })).status).toBe(415)
  })

  it('binds a schema, and null unbinds it', async ({ expect }) => {
    const fields = [{ name: 'id', type: 'INT64' }]
    const schema = await client.post('/v1/schemas', { name: newName(), fields }, ADMIN)
    const { schemaId } = await schema.json<{ schemaId: string }>()
    const path = `/v1/datahubs/${(await make()).datahubId}`
    expect(await (await patch(client, path, { schemaId })).json()).toMatchObject({ schemaId })
    const unbound = await (await patch(client, path, { schemaId: null })).json<object>()
    expect(unbound).not.toHaveProperty('schemaId')
  })

  it('takes null for no member that must be there', async ({ expect }) => {
    const path = `/v1/datahubs/${(await make()).datahubId}`
    for (const member of ['name', 'description', 'topic', 'qpsLimit']) {
      const response = await patch(client, path, { [member]: null })
      expect(await response.json()).toMatchObject({ status: 422, path: member })
    }
  })

  it('shows another topic as the next one until a relay has found it fit', async ({ expect }) => {
    const { datahubId, topic } = await makeRunning()
    const nextTopic = `next-${crypto.randomUUID()}`
    const response = await patch(client, `/v1/datahubs/${datahubId}`, { topic: nextTopic })
    expect(await response.json()).toMatchObject({ topic, nextTopic, status: 1 })
    await confirmTarget(nextTopic)
    const after = await (await get(datahubId)).json<object>()
    expect(after).toMatchObject({ topic: nextTopic, status: 1 })
    expect(after).not.toHaveProperty('nextTopic')
  })
})

describe('pause, resume, restart and delete', () => {
  it('lead from state to state', async ({ expect }) => {
    const { datahubId } = await makeRunning()
    const state = async (response: Promise<Response>) =>
      (await (await response).json<Datahub>()).state
    expect(await state(act(datahubId, 'pause'))).toBe('pausing')
    expect(await state(act(datahubId, 'resume'))).toBe('resuming')
    expect(await state(act(datahubId, 'restart'))).toBe('creating')
    const deleted = await remove(datahubId)
    expect(deleted.status).toBe(202)
    expect(await deleted.json()).toMatchObject({ status: 2, state: 'deleting' })
  })

  it('are refused in a state that does not allow them', async ({ expect }) => {
    const { datahubId } = await make()
    for (const word of ['pause', 'resume']) {
      const response = await act(datahubId, word)
      expect(await response.json()).toMatchObject({ type: '/problems/task-state-conflict' })
    }
  })

  it('an action of another name is an unknown address', async ({ expect }) => {
    expect((await act('datahub-aaaaaaaa', 'explode')).status).toBe(404)
  })

  it('a deleted datahub is not there once its deletion has spread', async ({ expect }) => {
    const { datahubId } = await make()
    await remove(datahubId)
    expect((await get(datahubId)).status).toBe(200)
    await runInDurableObject(env.REGISTRY.getByName(REGISTRY_NAME), (_, { storage }) => {
      storage.sql.exec('UPDATE tasks SET status_since = 0 WHERE datahub = ?', datahubId)
    })
    const path = `/v1/datahubs/${datahubId}`
    for (const response of [
      await get(datahubId),
      await get(datahubId, { ...ADMIN, 'If-None-Match': '*' }),
      await patch(client, path, { description: 'a' }),
      await act(datahubId, 'pause'),
      await act(datahubId, 'restart'),
      await remove(datahubId),
      await remove(datahubId, { 'If-Match': '"1", "2", "3"' }),
    ]) {
      expect(await response.json()).toMatchObject({ type: '/problems/datahub-not-found' })
    }
    const list = await client.fetch('/v1/datahubs?limit=1000', { headers: ADMIN })
    expect(await list.text()).not.toContain(datahubId)
  })
})

describe('conditions', () => {
  it('a change goes through with the tag that was shown, its revision, a list or a star', async ({
    expect,
  }) => {
    const { datahubId } = await makeRunning()
    const path = `/v1/datahubs/${datahubId}`
    let response = await get(datahubId)
    for (let i = 0; i < 4; i++) {
      const tag = response.headers.get('ETag') ?? ''
      const { revision } = await response.json<Datahub>()
      const header = [tag, `"${revision}"`, `"x", ${tag}, "999"`, '*'][i] ?? ''
      response = await patch(client, path, { description: `${i}` }, { 'If-Match': header })
      expect([header, response.status]).toEqual([header, 200])
    }
  })

  it('nothing is changed with any other, and the answer says which revision there is', async ({
    expect,
  }) => {
    const { datahubId, revision } = await make()
    const path = `/v1/datahubs/${datahubId}`
    for (const header of ['"999"', '"abc"', `W/"${revision}"`, '"998", "999"']) {
      const condition = { 'If-Match': header }
      for (const response of [
        await patch(client, path, { description: 'changed' }, condition),
        await remove(datahubId, condition),
        await act(datahubId, 'restart', condition),
      ]) {
        expect([header, response.status]).toEqual([header, 412])
        expect(response.headers.get('ETag')).toBe(`"${revision}"`)
      }
    }
    expect(await (await get(datahubId)).json()).toMatchObject({ description: '', revision })
  })

  it('one that is no list of tags is refused', async ({ expect }) => {
    const { datahubId } = await make()
    const path = `/v1/datahubs/${datahubId}`
    const response = await patch(client, path, { description: 'a' }, { 'If-Match': '1' })
    expect(await response.json()).toMatchObject({ type: '/problems/invalid-header' })
    expect((await get(datahubId, { ...ADMIN, 'If-None-Match': 'x' })).status).toBe(400)
  })

  it('of many changes at once with one tag exactly one is made', async ({ expect }) => {
    const { datahubId } = await makeRunning()
    const tag = (await get(datahubId)).headers.get('ETag') ?? ''
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        patch(client, `/v1/datahubs/${datahubId}`, { description: `${i}` }, { 'If-Match': tag }),
      ),
    )
    const made = answers.filter(({ status }) => status === 200)
    expect(made.length).toBe(1)
    expect(answers.filter(({ status }) => status === 412).length).toBe(7)
    const { description } = (await made[0]?.json<{ description: string }>()) ?? {}
    expect(await (await get(datahubId)).json()).toMatchObject({ description })
  })

  it('a GET with the tag that is current is 304, also when only a relay found something new', async ({
    expect,
  }) => {
    const { datahubId, topic } = await makeRunning()
    const tag = (await get(datahubId)).headers.get('ETag') ?? ''
    const again = await get(datahubId, { ...ADMIN, 'If-None-Match': tag })
    expect(again.status).toBe(304)
    expect(again.headers.get('ETag')).toBe(tag)
    const registry = env.REGISTRY.getByName(REGISTRY_NAME)
    await registry.applyTargets([{ topic, status: 'fit', partitions: 5, maxMessageBytes: 9_000 }])
    const news = await get(datahubId, { ...ADMIN, 'If-None-Match': tag })
    expect(await news.json()).toMatchObject({ partitions: 5 })
  })
})

describe('a credential that manages one datahub', () => {
  it('sees it, changes it, and neither another nor whether there is one', async ({ expect }) => {
    const own = await makeRunning()
    const other = await makeRunning()
    const list = { scopes: ['manage'], datahubs: [own.datahubId] }
    const { headers } = await makeAccess(client, list)
    const as = (id: string, method: string, path: string) =>
      client.fetch(`/v1/datahubs/${id}${path}`, {
        method,
        headers: { ...headers, 'Content-Type': 'application/json' },
        ...(method === 'PATCH' && { body: '{"description":"mine"}' }),
      })
    const shown = await client.fetch('/v1/datahubs', { headers })
    expect(await shown.json()).toMatchObject({ datahubs: [{ datahubId: own.datahubId }] })

    const calls = [
      ['GET', ''],
      ['PATCH', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/restart'],
      ['DELETE', ''],
    ] as const
    for (const [method, path] of calls) {
      const [there, nowhere] = await Promise.all(
        [other.datahubId, 'datahub-nothing0'].map(async (id) => {
          const response = await as(id, method, path)
          const requestId = response.headers.get('X-Request-Id') ?? ''
          const everything = JSON.stringify([...response.headers]) + (await response.text())
          const same = everything.replaceAll(id, 'ID').replaceAll(requestId, 'REQUEST')
          return [response.status, same]
        }),
      )
      expect(there).toEqual(nowhere)
      expect(there?.[0]).toBe(404)
      expect([method, path, (await as(own.datahubId, method, path)).ok]).toEqual([
        method,
        path,
        true,
      ])
    }
    const after = { name: other.name, description: '', status: 1, revision: expect.any(Number) }
    expect(await (await get(other.datahubId)).json()).toMatchObject(after)
  })

  it('makes none, gives it no other topic, and raises no limit of it', async ({ expect }) => {
    const { datahubId } = await make()
    const { headers } = await makeAccess(client, { scopes: ['manage'], datahubs: [datahubId] })
    for (const changes of [{ topic: 'other' }, { createTopic: {} }, { qpsLimit: 2_001 }]) {
      const changed = await patch(client, `/v1/datahubs/${datahubId}`, changes, headers)
      expect(await changed.json()).toMatchObject({ type: '/problems/forbidden' })
    }
    const input = { name: newName(), topic: 't' }
    expect((await client.post('/v1/datahubs', input, headers)).status).toBe(403)
    const all = await makeAccess(client, { scopes: ['manage'], datahubs: 'all' })
    expect((await client.post('/v1/datahubs', input, all.headers)).status).toBe(201)
  })
})
