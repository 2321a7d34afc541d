import { env } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import type { Manager } from '../../../../worker/registry/control-plane.ts'
import { createControl, type RegistryWriter } from '../../../../worker/registry/control/control.ts'
import { deriveEncryptionKey, deriveMacKey } from '../../../../worker/registry/derived-key.ts'
import { NewCredential, NewTask } from '../../../../worker/registry/forms.ts'
import { platformRandomBytes } from '../../../../worker/registry/random-text.ts'
import { isGenuineSecretId } from '../../../../worker/registry/secret-id.ts'
import { openSecret, tokenOwner } from '../../../../worker/registry/secret-vault.ts'
import type { SchemaField } from '../../../../worker/schema/form.ts'
import { UnavailableError } from '../../../../worker/unavailable.ts'
import { fit, newRegistry, rejectionOf, unfit, valueOf } from '../rig.ts'

const INSTANCE = 'ckafka-devlocal'
const mac = await deriveMacKey('m', 'secret-id mac v1')
const vault = await deriveEncryptionKey('m', 'secret-key encryption v1')

function rig(more: { registry?: RegistryWriter; randomBytes?: typeof platformRandomBytes } = {}) {
  const registry = newRegistry()
  const looks: number[] = []
  const control = createControl({
    instance: INSTANCE,
    registry,
    keys: async () => ({ mac, encryption: [vault] }),
    randomBytes: platformRandomBytes,
    onNewTarget: () => void looks.push(Date.now()),
    ...more,
  })
  return { control, registry, looks }
}

const newTask = (name: string, more: object = {}): NewTask =>
  NewTask.parse({ name, topic: `of-${name}`, ...more })

describe('the control plane', () => {
  it('makes a task of this instance only', async ({ expect }) => {
    const { control } = rig()
    const other = newTask('a', { instance: 'ckafka-aaaaaaaa' })
    expect(rejectionOf(await control.tasks.create('admin', other))).toMatchObject({
      ...{ reason: 'invalid_value', path: 'instance' },
    })
    const made = valueOf(await control.tasks.create('admin', newTask('a', { instance: INSTANCE })))
    expect(made).toMatchObject({ instance: INSTANCE, status: 0, qpsLimit: 2_000, revision: 1 })
    expect(made.datahub).toMatch(/^datahub-[a-z0-9]{8}$/)
    expect(made.taskId).toMatch(/^task-[a-z0-9]{8}$/)
  })

  it('draws again when an id is taken', async ({ expect }) => {
    let draws = 0
    // The first task takes what the second one draws first.
    const randomBytes = (length: number): Uint8Array<ArrayBuffer> =>
      new Uint8Array(length).fill(draws++ < 4 ? 0 : draws)
    const { control } = rig({ randomBytes })
    const first = valueOf(await control.tasks.create('admin', newTask('a')))
    const second = valueOf(await control.tasks.create('admin', newTask('b')))
    expect(first.datahub).toBe('datahub-aaaaaaaa')
    expect(second.datahub).not.toBe(first.datahub)
    const fields = [{ name: 'f', type: 'INT8' as const, allowNull: true }]
    draws = 0
    const schema = valueOf(await control.schemas.create('admin', { name: 's', fields }))
    draws = 3
    const other = valueOf(await control.schemas.create('admin', { name: 't', fields }))
    expect(schema.schemaId).toBe('schema-aaaaaaaa')
    expect(other.schemaId).not.toBe(schema.schemaId)
  })

  it('has the relays look exactly when a task waits for a topic', async ({ expect }) => {
    const { control, registry, looks } = rig()
    const { datahub } = valueOf(await control.tasks.create('admin', newTask('a')))
    const ref = { datahub }
    expect(looks).toHaveLength(1)
    await registry.applyTargets([fit('of-a')])
    valueOf(await control.tasks.modify('admin', ref, { description: 'd' }))
    valueOf(await control.tasks.pause('admin', ref))
    valueOf(await control.tasks.resume('admin', ref))
    expect(looks).toHaveLength(1)
    valueOf(await control.tasks.modify('admin', ref, { topic: 'next' }))
    expect(looks).toHaveLength(2)
    valueOf(await control.tasks.restart('admin', ref))
    expect(looks).toHaveLength(3)
    rejectionOf(await control.tasks.restart('admin', ref, { ifRevision: 1 }))
    await registry.applyTargets([unfit('of-a')])
    valueOf(await control.tasks.delete('admin', ref))
    expect(looks).toHaveLength(3)
  })

  it('shows a secret in the answer that made it, and nowhere else', async ({ expect }) => {
    const { control, registry } = rig()
    const input = NewCredential.parse({ expires: Date.now() + 60_000, sessionToken: true })
    const made = valueOf(await control.credentials.create('admin', input))
    const { secretId } = made.credential
    const { secretKey, sessionToken = '' } = made.secrets
    expect(await isGenuineSecretId(secretId, mac)).toBe(true)
    expect(secretKey).toMatch(/^[A-Za-z0-9]{32}$/)
    expect(sessionToken).toMatch(/^[A-Za-z0-9]{64}$/)
    const rotation = { keepSeconds: 60 }
    const rotated = valueOf(await control.credentials.rotate('admin', secretId, rotation))
    // A new secret, under the same token.
    expect(Object.keys(rotated.secrets)).toEqual(['secretKey'])
    expect(rotated.secrets.secretKey).not.toBe(secretKey)

    const stored = await registry.findCredential(secretId)
    const opened = stored?.sealedKeys.map(({ sealed }) => openSecret(sealed, secretId, [vault]))
    expect(await Promise.all(opened ?? [])).toEqual([rotated.secrets.secretKey, secretKey])
    const token = openSecret(stored?.sealedToken ?? '', tokenOwner(secretId), [vault])
    expect(await token).toBe(sessionToken)

    const shown = JSON.stringify([
      await control.credentials.list('admin'),
      await control.credentials.find('admin', secretId),
      await control.auditLog('admin', { limit: 10 }),
      made.credential,
      rotated.credential,
    ])
    const sealed = JSON.stringify(stored?.sealedKeys)
    for (const secret of [secretKey, rotated.secrets.secretKey, sessionToken, sealed, 'sealed']) {
      expect(shown).not.toContain(secret)
    }
  })

  it('takes scopes and datahubs that are listed twice as once', async ({ expect }) => {
    const { control } = rig()
    const datahub = 'datahub-aaaaaaaa'
    const twice = { scopes: ['send', 'send'], datahubs: [datahub, datahub] }
    const input = NewCredential.parse(twice)
    const { credential } = valueOf(await control.credentials.create('admin', input))
    const once = { scopes: ['send'], datahubs: [datahub], revision: 1 }
    expect(credential).toMatchObject(once)
    const changes = NewCredential.parse(twice)
    const { scopes, datahubs } = changes
    const { secretId } = credential
    const same = await control.credentials.modify('admin', secretId, { scopes, datahubs })
    expect(valueOf(same)).toMatchObject(once)
  })

  it('refuses a schema whose fields contradict themselves, by their place', async ({ expect }) => {
    const { control } = rig()
    const field = { name: 'f', type: 'INT8' as const, allowNull: true }
    const fields = [field, field]
    const twice = { reason: 'invalid_value', path: 'fields.1.name' }
    expect(rejectionOf(await control.schemas.create('admin', { name: 's', fields }))).toMatchObject(
      twice,
    )
    const made = valueOf(await control.schemas.create('admin', { name: 's', fields: [field] }))
    const changed = await control.schemas.modify('admin', made.schemaId, { fields })
    expect(rejectionOf(changed)).toMatchObject(twice)
    const bad = { fields: [{ ...field, default: 128 }] }
    const wrong = await control.schemas.modify('admin', made.schemaId, bad)
    expect(rejectionOf(wrong)).toMatchObject({ path: 'fields.0.default' })
  })

  it('refuses a schema that is too large, also in characters of more than a byte', async ({
    expect,
  }) => {
    const { control } = rig()
    const fieldsOf = (count: number, character: string): SchemaField[] =>
      Array.from({ length: count }, (_, i) => ({
        ...{ name: `f${i}`, type: 'STRING', allowNull: true, default: character.repeat(1_024) },
      }))
    const make = (name: string, fields: SchemaField[]) =>
      control.schemas.create('admin', { name, fields })
    const tooLarge = { reason: 'invalid_value', path: 'fields' }
    expect(rejectionOf(await make('a', fieldsOf(23, 'x')))).toMatchObject(tooLarge)
    expect(rejectionOf(await make('b', fieldsOf(10, 'é€')))).toMatchObject(tooLarge)
    const made = valueOf(await make('c', fieldsOf(22, 'x')))
    const grown = await control.schemas.modify('admin', made.schemaId, {
      fields: fieldsOf(23, 'x'),
    })
    expect(rejectionOf(grown)).toMatchObject(tooLarge)
  })

  it('acts for a credential by what the registry knows of it, not by what its edge remembers', async ({
    expect,
  }) => {
    const { control } = rig()
    const { datahub } = valueOf(await control.tasks.create('admin', newTask('a')))
    const input = NewCredential.parse({ scopes: ['manage', 'send'] })
    const made = valueOf(await control.credentials.create('admin', input))
    const { secretId } = made.credential
    const remembered: Manager = {
      ...{ secretId, secretKeys: [], scopes: ['manage', 'send'], datahubs: 'all' },
    }
    valueOf(await control.tasks.restart(remembered, { datahub }))
    valueOf(await control.credentials.modify('admin', secretId, { scopes: ['send'] }))
    const raised = await control.credentials.modify(remembered, secretId, { scopes: ['manage'] })
    expect(rejectionOf(raised)).toMatchObject({ reason: 'forbidden' })
    const restarted = await control.tasks.restart(remembered, { datahub })
    expect(rejectionOf(restarted)).toMatchObject({ reason: 'forbidden' })
    expect(rejectionOf(await control.tasks.list(remembered))).toMatchObject({ reason: 'forbidden' })
    const resealed = await control.credentials.reseal(remembered)
    expect(rejectionOf(resealed)).toMatchObject({ reason: 'forbidden' })
    valueOf(await control.credentials.delete('admin', secretId))
    for (const ask of [
      () => control.tasks.list(remembered),
      () => control.credentials.list(remembered),
      () => control.schemas.list(remembered),
      () => control.tasks.restart(remembered, { datahub }),
      () => control.auditLog(remembered, { limit: 1 }),
    ]) {
      expect(rejectionOf(await ask())).toMatchObject({ reason: 'unauthenticated' })
    }
    const entries = valueOf(await control.auditLog('admin', { limit: 10 }))
    expect(entries.map(({ by, action }) => [by, action])).toContainEqual([secretId, 'task.restart'])
    expect(entries.at(-1)?.detail).toMatchObject({ name: 'a' })
  })

  it('says that the registry is away when it is', async ({ expect }) => {
    const down = (): Promise<never> => Promise.reject(new Error('down'))
    const registry = new Proxy(env.REGISTRY.getByName('x'), { get: () => down })
    const { control } = rig({ registry })
    const fields = [{ name: 'f', type: 'INT8' as const, allowNull: true }]
    for (const ask of [
      () => control.tasks.create('admin', newTask('a')),
      () => control.tasks.list('admin'),
      () => control.tasks.pause('admin', { datahub: 'd' }),
      () => control.credentials.create('admin', NewCredential.parse({})),
      () => control.credentials.rotate('admin', 's', { keepSeconds: 0 }),
      () => control.credentials.reseal('admin'),
      () => control.schemas.create('admin', { name: 's', fields }),
      () => control.auditLog('admin', { limit: 1 }),
    ]) {
      await expect(ask()).rejects.toThrow(UnavailableError)
    }
  })
})
