import { beforeAll, describe, it } from 'vitest'
import { ADMIN, makeAccess, testClient, type TestClient } from '../support/client.ts'
import { patch, walk } from '../support/managing.ts'

let client: TestClient
beforeAll(() => {
  client = testClient()
})

interface Entry {
  id: number
  at: number
  by: string
  action: string
  target: string
  detail: object
}

async function entries(query: string): Promise<Entry[]> {
  const response = await client.fetch(`/v1/audit-log?${query}`, { headers: ADMIN })
  return (await response.json<{ entries: Entry[] }>()).entries
}

describe('GET /v1/audit-log', () => {
  it('says who changed what, newest first, without secrets', async ({ expect }) => {
    const { headers, secretId } = await makeAccess(client, { scopes: ['manage'] })
    const input = { name: `d${crypto.randomUUID()}`, topic: 'audited' }
    const made = await client.post('/v1/datahubs', input, headers)
    const { datahubId } = await made.json<{ datahubId: string }>()
    await patch(client, `/v1/datahubs/${datahubId}`, { description: 'by the admin' })
    const changes = await entries(`target=${datahubId}`)
    expect(changes.map(({ by, target }) => [by, target])).toEqual([
      ['admin', datahubId],
      [secretId, datahubId],
    ])
    const made2 = await client.post('/v1/credentials', {}, ADMIN)
    const secret = await made2.json<{ secretId: string; secretKey: string }>()
    await client.fetch(`/v1/credentials/${secret.secretId}/rotate`, {
      method: 'POST',
      headers: ADMIN,
    })
    const all = await entries(`target=${secret.secretId}`)
    expect(all.length).toBe(2)
    expect(JSON.stringify(all)).not.toContain(secret.secretKey)
    expect(JSON.stringify(all)).not.toContain('sealed')
  })

  it('goes back by pages to the first one, without gaps, while changes go on', async ({
    expect,
  }) => {
    const change = () => client.post('/v1/credentials', {}, ADMIN)
    for (let i = 0; i < 4; i++) await change()
    const shown = await walk<Entry>(client, '/v1/audit-log', 'entries', async () => {
      await change()
    })
    const last = shown[0]?.id ?? 0
    expect(shown.map(({ id }) => id)).toEqual(Array.from({ length: last }, (_, i) => last - i))
  })

  it('is for the admin alone', async ({ expect }) => {
    const { headers } = await makeAccess(client, { scopes: ['send', 'query', 'manage'] })
    expect((await client.fetch('/v1/audit-log', { headers })).status).toBe(401)
  })
})
