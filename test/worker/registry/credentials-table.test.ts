import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, it, vi } from 'vitest'
import { MAX_CREDENTIALS } from '../../../worker/registry/credentials-table.ts'
import type { Registry } from '../../../worker/registry/registry.ts'
import {
  ADMIN,
  drawnCredential,
  newRegistry,
  rejectionOf,
  setClock,
  START,
  valueOf,
  type Stub,
} from './rig.ts'

const A = 'datahub-aaaaaaaa'
const B = 'datahub-bbbbbbbb'

beforeEach(() => setClock(START))
afterEach(() => void vi.useRealTimers())

async function withCredentials(
  ...drawn: (Parameters<typeof drawnCredential>[1] | undefined)[]
): Promise<Stub> {
  const registry = newRegistry()
  for (const [i, more] of drawn.entries()) {
    valueOf(await registry.createCredential(ADMIN, drawnCredential(i + 1, more)))
  }
  return registry
}

async function auditText(registry: Stub): Promise<string> {
  return JSON.stringify(valueOf(await registry.auditLog(ADMIN, { limit: 1_000 })))
}

describe('a credential', () => {
  it('is given back as it was made, also after an eviction; what is sealed only to the directory', async ({
    expect,
  }) => {
    const more = { name: 'n', sealedToken: 'sealed token', expires: START + 1, datahubs: [A] }
    const registry = await withCredentials(more)
    await evictDurableObject(registry)
    const common = {
      ...{ secretId: 'AKID1', name: 'n', scopes: ['send'], datahubs: [A], disabled: false },
      ...{ expires: START + 1, revision: 1, created: START, changed: START },
    }
    const shown = { ...common, temporary: true, olderSecrets: [] }
    expect(valueOf(await registry.readCredential(ADMIN, 'AKID1'))).toEqual(shown)
    expect(valueOf(await registry.listCredentials(ADMIN))).toEqual([shown])
    const sealed = { sealedKeys: [{ sealed: 'sealed 1' }], sealedToken: 'sealed token' }
    expect(await registry.findCredential('AKID1')).toEqual({ ...common, ...sealed })
    expect(await registry.findCredential('AKID2')).toBeNull()
    expect(await auditText(registry)).not.toContain('sealed')
  })

  it('is changed where it is wished, and otherwise stays', async ({ expect }) => {
    const registry = await withCredentials({ expires: START + 15, scopes: ['send', 'query'] })
    const modify = async (changes: object) =>
      valueOf(await registry.modifyCredential(ADMIN, 'AKID1', changes, undefined))
    setClock(START + 10)
    const same = { name: '', scopes: ['send', 'query'], expires: START + 15, disabled: false }
    expect(await modify(same)).toMatchObject({ revision: 1, changed: START })
    const changed = await modify({ name: 'm', disabled: true, expires: null, datahubs: [A] })
    expect(changed).toMatchObject({ name: 'm', disabled: true, datahubs: [A], revision: 2 })
    expect(changed).toMatchObject({ scopes: ['send', 'query'], changed: START + 10 })
    expect(changed).not.toHaveProperty('expires')
    expect(await modify({ expires: START + 20 })).toMatchObject({ expires: START + 20, name: 'm' })
  })

  it('expires in the future only, and a temporary one always', async ({ expect }) => {
    const registry = await withCredentials({ sealedToken: 's', expires: START + 5 }, {})
    const atExpires = { reason: 'invalid_value', path: 'expires' }
    const make = async (more: object) =>
      rejectionOf(await registry.createCredential(ADMIN, drawnCredential(3, more)))
    expect(await make({ expires: START })).toMatchObject(atExpires)
    expect(await make({ sealedToken: 's' })).toMatchObject(atExpires)
    const modify = async (id: string, expires: number | null) =>
      rejectionOf(await registry.modifyCredential(ADMIN, id, { expires }, undefined))
    expect(await modify('AKID1', null)).toMatchObject(atExpires)
    expect(await modify('AKID2', START - 1)).toMatchObject(atExpires)
    expect(valueOf(await registry.listCredentials(ADMIN))).toMatchObject([
      { revision: 1 },
      { revision: 1 },
    ])
  })

  it('that was deleted is gone', async ({ expect }) => {
    const registry = await withCredentials({})
    const stale = await registry.deleteCredential(ADMIN, 'AKID1', 7)
    expect(rejectionOf(stale)).toEqual({ reason: 'precondition_failed', current: 1 })
    expect(valueOf(await registry.deleteCredential(ADMIN, 'AKID1', 1))).toMatchObject({
      secretId: 'AKID1',
    })
    expect(await registry.findCredential('AKID1')).toBeNull()
    const again = await registry.deleteCredential(ADMIN, 'AKID1', undefined)
    expect(rejectionOf(again)).toEqual({ reason: 'credential_not_found', secretId: 'AKID1' })
  })

  it('there are so many of, and no more; those that have expired do not count', async ({
    expect,
  }) => {
    const registry = newRegistry()
    await runInDurableObject(registry, async (object: Registry) => {
      for (let i = 0; i < MAX_CREDENTIALS; i++) {
        const more = i < 2 ? { expires: START + 1 } : {}
        valueOf(object.createCredential(ADMIN, drawnCredential(i, more)))
      }
    })
    const more = async (n: number) => registry.createCredential(ADMIN, drawnCredential(n))
    const limit = MAX_CREDENTIALS
    const full = { reason: 'quota_exceeded', what: 'credentials', limit }
    expect(rejectionOf(await more(limit))).toEqual(full)
    setClock(START + 1)
    valueOf(await more(limit))
    valueOf(await more(limit + 1))
    expect(rejectionOf(await more(limit + 2))).toEqual(full)
  })
})

describe('a credential that has expired', () => {
  const rows = (registry: Stub): Promise<unknown[]> =>
    runInDurableObject(registry, (_, { storage: { sql } }) =>
      Array.from(
        sql.exec('SELECT secret_id FROM credentials ORDER BY secret_id').raw(),
        ([id]) => id,
      ),
    )

  it('is found by nobody from that moment on, not before, and for good', async ({ expect }) => {
    const registry = await withCredentials({ expires: START + 10, scopes: ['manage'] }, {})
    const rotation = { sealedKey: 's', keepMs: 0 }
    setClock(START + 9)
    expect(await registry.findCredential('AKID1')).toMatchObject({ expires: START + 10 })
    expect(valueOf(await registry.listCredentials(ADMIN))).toHaveLength(2)
    expect(valueOf(await registry.listTasks('AKID1'))).toEqual([])

    setClock(START + 10)
    for (const result of [
      await registry.readCredential(ADMIN, 'AKID1'),
      await registry.modifyCredential(ADMIN, 'AKID1', { expires: null }, undefined),
      await registry.modifyCredential(ADMIN, 'AKID1', { expires: START + 99 }, 1),
      await registry.rotateCredential(ADMIN, 'AKID1', rotation, undefined),
      await registry.deleteCredential(ADMIN, 'AKID1', 99),
    ]) {
      expect(rejectionOf(result)).toEqual({ reason: 'credential_not_found', secretId: 'AKID1' })
    }
    const left = [{ secretId: 'AKID2' }]
    expect(await registry.findCredential('AKID1')).toBeNull()
    expect(valueOf(await registry.listCredentials(ADMIN))).toMatchObject(left)
    expect(valueOf(await registry.sealedCredentials(ADMIN))).toMatchObject(left)
    expect(rejectionOf(await registry.listTasks('AKID1'))).toMatchObject({
      reason: 'unauthenticated',
    })
  })

  it('leaves its row when the next one is made, all such at once, with one entry in the audit log', async ({
    expect,
  }) => {
    const ends = [{ expires: START + 1 }, { expires: START + 2 }, { expires: START + 3 }, {}]
    const registry = await withCredentials(...ends)
    setClock(START + 2)
    const refused = drawnCredential(5, { expires: START })
    expect(rejectionOf(await registry.createCredential(ADMIN, refused))).toMatchObject({
      path: 'expires',
    })
    expect(await rows(registry)).toHaveLength(4)

    valueOf(await registry.createCredential(ADMIN, drawnCredential(5)))
    expect(await rows(registry)).toEqual(['AKID3', 'AKID4', 'AKID5'])
    const [made, expired] = valueOf(await registry.auditLog(ADMIN, { limit: 2 }))
    expect(made).toMatchObject({ by: ADMIN, action: 'credential.create', target: 'AKID5' })
    expect(expired).toMatchObject({
      ...{ at: START + 2, by: 'edgehub', action: 'credential.expire', target: 'credentials' },
      detail: '{"secretIds":["AKID1","AKID2"]}',
    })

    valueOf(await registry.createCredential(ADMIN, drawnCredential(6)))
    const entries = valueOf(await registry.auditLog(ADMIN, { limit: 100 }))
    expect(entries.filter(({ action }) => action === 'credential.expire')).toHaveLength(1)
  })
})

describe('a rotation', () => {
  const rotate = async (registry: Stub, sealedKey: string, keepMs: number) =>
    valueOf(await registry.rotateCredential(ADMIN, 'AKID1', { sealedKey, keepMs }, undefined))
  const keys = async (registry: Stub) => (await registry.findCredential('AKID1'))?.sealedKeys

  it('keeps the newest secret of before for a while, and none that is older', async ({
    expect,
  }) => {
    const registry = await withCredentials({})
    expect(await rotate(registry, 'second', 100)).toMatchObject({
      ...{ olderSecrets: [START + 100], revision: 2 },
    })
    expect(await keys(registry)).toEqual([
      { sealed: 'second' },
      { sealed: 'sealed 1', expires: START + 100 },
    ])
    await rotate(registry, 'third', 100)
    expect(await keys(registry)).toEqual([
      { sealed: 'third' },
      { sealed: 'second', expires: START + 100 },
    ])
    setClock(START + 100)
    const later = valueOf(await registry.readCredential(ADMIN, 'AKID1'))
    expect(later.olderSecrets).toEqual([])
  })

  it('keeps none when it shall not', async ({ expect }) => {
    const registry = await withCredentials({})
    await rotate(registry, 'second', 0)
    expect(await keys(registry)).toEqual([{ sealed: 'second' }])
    expect(await auditText(registry)).not.toMatch(/second"|sealed/)
  })
})

describe('sealing anew', () => {
  it('replaces the secrets that it was made from, and no others', async ({ expect }) => {
    const registry = await withCredentials({}, { sealedToken: 't', expires: START + 1 }, {})
    const resealed = [1, 2, 3].map((n) => {
      const token = n === 2 ? { sealedToken: 't' } : {}
      return {
        secretId: `AKID${n}`,
        before: { sealedKeys: [{ sealed: `sealed ${n}` }], ...token },
        after: { sealedKeys: [{ sealed: `anew ${n}` }], ...token },
      }
    })
    // Meanwhile one is rotated and one is gone.
    const rotation = { sealedKey: 'second', keepMs: 0 }
    valueOf(await registry.rotateCredential(ADMIN, 'AKID1', rotation, undefined))
    valueOf(await registry.deleteCredential(ADMIN, 'AKID3', undefined))
    expect(valueOf(await registry.resealCredentials(ADMIN, resealed))).toBe(1)
    const sealed = valueOf(await registry.sealedCredentials(ADMIN))
    expect(sealed.map(({ sealedKeys, revision }) => [sealedKeys, revision])).toEqual([
      [[{ sealed: 'second' }], 2],
      [[{ sealed: 'anew 2' }], 1],
    ])
    const [entry] = valueOf(await registry.auditLog(ADMIN, { limit: 1 }))
    expect(entry).toMatchObject({ action: 'credential.reseal', detail: '{"resealed":1}' })
  })

  it('is for the admin alone', async ({ expect }) => {
    const registry = await withCredentials({ scopes: ['manage', 'send'] })
    for (const result of [
      await registry.resealCredentials('AKID1', []),
      await registry.sealedCredentials('AKID1'),
      await registry.auditLog('AKID1', { limit: 1 }),
    ]) {
      expect(rejectionOf(result)).toMatchObject({ reason: 'forbidden' })
    }
  })
})

describe('a credential that manages', () => {
  const by = 'AKID1'
  const manager = { scopes: ['manage', 'send'] as const, datahubs: [A] }

  it('sees and changes those that have no more than it has, and is told nothing of others', async ({
    expect,
  }) => {
    const less = { scopes: ['send'] as const, datahubs: [A] }
    const others = [{ datahubs: [A, B] }, { datahubs: 'all' }, { scopes: ['query'], datahubs: [A] }]
    const registry = await withCredentials(manager, less, ...(others as object[]))
    const seen = valueOf(await registry.listCredentials(by)).map(({ secretId }) => secretId)
    expect(seen).toEqual(['AKID1', 'AKID2'])
    for (const secretId of ['AKID3', 'AKID4', 'AKID5', 'AKIDnone']) {
      const notFound = { reason: 'credential_not_found', secretId }
      const rotation = { sealedKey: 's', keepMs: 0 }
      for (const result of [
        await registry.readCredential(by, secretId),
        await registry.modifyCredential(by, secretId, { disabled: true }, 99),
        await registry.rotateCredential(by, secretId, rotation, 99),
        await registry.deleteCredential(by, secretId, 99),
      ]) {
        expect(rejectionOf(result)).toEqual(notFound)
      }
    }
    const changed = await registry.modifyCredential(by, 'AKID2', { disabled: true }, undefined)
    expect(valueOf(changed)).toMatchObject({ disabled: true })
    valueOf(await registry.deleteCredential(by, 'AKID2', undefined))
  })

  it('gives no more than it has, to others or to itself', async ({ expect }) => {
    const registry = await withCredentials(manager)
    const raised = [
      { scopes: ['send', 'query'] as const, datahubs: [A] },
      { scopes: ['send'] as const, datahubs: [A, B] },
      { scopes: ['send'] as const, datahubs: 'all' as const },
    ]
    for (const more of raised) {
      const made = await registry.createCredential(by, drawnCredential(2, more))
      expect(rejectionOf(made)).toMatchObject({ reason: 'forbidden' })
      const own = await registry.modifyCredential(by, by, { ...more, scopes: [...more.scopes] }, 1)
      expect(rejectionOf(own)).toMatchObject({ reason: 'forbidden' })
    }
    const drawn = drawnCredential(2, { datahubs: [A] })
    valueOf(await registry.createCredential(by, drawn))
    valueOf(await registry.modifyCredential(by, by, { scopes: ['manage'] }, undefined))
    const again = await registry.modifyCredential(by, by, { scopes: ['manage', 'send'] }, undefined)
    expect(rejectionOf(again)).toMatchObject({ reason: 'forbidden' })
  })

  it('has from the next moment on the rights that it was lowered to', async ({ expect }) => {
    const registry = await withCredentials({ ...manager, datahubs: 'all' }, { datahubs: [B] })
    expect(valueOf(await registry.listCredentials(by))).toHaveLength(2)
    valueOf(await registry.modifyCredential(ADMIN, by, { datahubs: [A] }, undefined))
    expect(valueOf(await registry.listCredentials(by))).toHaveLength(1)
    const deleted = await registry.deleteCredential(by, 'AKID2', undefined)
    expect(rejectionOf(deleted)).toMatchObject({ reason: 'credential_not_found' })
  })
})
