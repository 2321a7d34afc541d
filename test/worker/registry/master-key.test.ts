/** The whole rotation of MASTER_KEY, with the worker's own parts, as docs/operations.md describes it. */
import { describe, it } from 'vitest'
import { NewCredential } from '../../../worker/registry/forms.ts'
import { servicesFor } from '../../../worker/services.ts'
import { testClient } from '../support/client.ts'
import { newRegistry, rejectionOf, valueOf, type Stub } from './rig.ts'

const OLD = 'the master key of before, 32 or more'
const NEW = 'the master key of today, 32 or more.'
const NEXT = 'the master key of tomorrow, 32 or more'

type Secrets = Record<string, string | undefined>

/** The worker's parts under these settings, over a registry that outlives them. */
function deployed(registry: Stub, secrets: Secrets) {
  const lookUps: string[] = []
  const counted = new Proxy(registry, {
    get: (stub, method, receiver) =>
      method === 'findCredential'
        ? (secretId: string) => {
            lookUps.push(secretId)
            return stub.findCredential(secretId)
          }
        : (Reflect.get(stub, method, receiver) as unknown),
  })
  const { bindings } = testClient({ ...secrets, REGISTRY: { getByName: () => counted } })
  const { directory, control } = servicesFor(bindings, () => {})
  return { lookUps, directory, control }
}

type Deployed = ReturnType<typeof deployed>

async function make({ control }: Deployed, more: object = {}) {
  const made = valueOf(await control.credentials.create('admin', NewCredential.parse(more)))
  return { secretId: made.credential.secretId, ...made.secrets }
}

describe('a rotation of MASTER_KEY', () => {
  it('leaves every credential good at each step, and needs the old key no more at its end', async ({
    expect,
  }) => {
    const registry = newRegistry()
    const works = async (where: Deployed, made: { secretId: string; secretKey: string }) =>
      (await where.directory.findCredential(made.secretId))?.secretKeys.includes(made.secretKey)

    const before = deployed(registry, { MASTER_KEY: OLD })
    const temporary = { sessionToken: true, expires: Date.now() + 3_600_000 }
    const [a, b] = [await make(before), await make(before, temporary)]
    const rotation = { keepSeconds: 3_600 }
    const rotated = valueOf(await before.control.credentials.rotate('admin', a.secretId, rotation))

    // One setting after another, as `wrangler secret put` does it.
    const MAC_KEY = OLD
    for (const step of [
      { MASTER_KEY: OLD, MAC_KEY },
      { MASTER_KEY: OLD, MAC_KEY, MASTER_KEY_PREVIOUS: OLD },
      { MASTER_KEY: NEW, MAC_KEY, MASTER_KEY_PREVIOUS: OLD },
    ]) {
      const now = deployed(registry, step)
      for (const made of [a, b]) expect(await works(now, made)).toBe(true)
    }
    const during = deployed(registry, { MASTER_KEY: NEW, MAC_KEY, MASTER_KEY_PREVIOUS: OLD })
    const c = await make(during)
    // An edge that has not heard of it goes on with the old key alone.
    const late = deployed(registry, { MASTER_KEY: OLD, MAC_KEY, MASTER_KEY_PREVIOUS: OLD })
    const d = await make(late)

    const reseal = async () => valueOf(await during.control.credentials.reseal('admin'))
    expect(await reseal()).toEqual({ resealed: 3, total: 4 })
    expect(await reseal()).toEqual({ resealed: 0, total: 4 })

    const after = deployed(registry, { MASTER_KEY: NEW, MAC_KEY })
    for (const made of [a, b, c, d]) expect(await works(after, made)).toBe(true)
    const found = await after.directory.findCredential(a.secretId)
    expect(found?.secretKeys).toEqual([rotated.secrets.secretKey, a.secretKey])
    const token = (await after.directory.findCredential(b.secretId))?.sessionToken
    expect(token).toBe(b.sessionToken)

    // And once more: MAC_KEY stays.
    const next = { MASTER_KEY: NEXT, MAC_KEY, MASTER_KEY_PREVIOUS: NEW }
    const again = deployed(registry, next)
    expect(valueOf(await again.control.credentials.reseal('admin'))).toMatchObject({ resealed: 4 })
    expect(await works(deployed(registry, { MASTER_KEY: NEXT, MAC_KEY }), a)).toBe(true)
  })

  it('refuses forged SecretIds before any look-up all the while', async ({ expect }) => {
    const registry = newRegistry()
    const { secretId } = await make(deployed(registry, { MASTER_KEY: OLD }))
    const during = { MASTER_KEY: NEW, MAC_KEY: OLD, MASTER_KEY_PREVIOUS: OLD }
    // One that another deployment's key signed, and one with a character changed.
    const foreign = await make(deployed(newRegistry(), { MASTER_KEY: NEXT }))
    const changed = `${secretId.slice(0, -1)}${secretId.endsWith('0') ? '1' : '0'}`
    for (const secrets of [{ MASTER_KEY: OLD }, during, { MASTER_KEY: NEW, MAC_KEY: OLD }]) {
      const { directory, lookUps } = deployed(registry, secrets)
      expect(await directory.findCredential(foreign.secretId)).toBeUndefined()
      expect(await directory.findCredential(changed)).toBeUndefined()
      expect(lookUps).toEqual([])
    }
  })

  it('says which secrets open under neither key, and seals the others', async ({ expect }) => {
    const registry = newRegistry()
    const MAC_KEY = OLD
    const lost = await make(deployed(registry, { MASTER_KEY: NEXT, MAC_KEY }))
    const kept = await make(deployed(registry, { MASTER_KEY: OLD, MAC_KEY }))
    const during = deployed(registry, { MASTER_KEY: NEW, MAC_KEY, MASTER_KEY_PREVIOUS: OLD })
    const refused = rejectionOf(await during.control.credentials.reseal('admin'))
    expect(refused).toMatchObject({ reason: 'conflict' })
    expect(JSON.stringify(refused)).toContain(lost.secretId)
    expect(JSON.stringify(refused)).not.toContain(kept.secretId)
    const after = deployed(registry, { MASTER_KEY: NEW, MAC_KEY })
    const found = await after.directory.findCredential(kept.secretId)
    expect(found?.secretKeys).toEqual([kept.secretKey])
  })

  it('looks once more at a credential that was rotated while it was sealed anew', async ({
    expect,
  }) => {
    const registry = newRegistry()
    const before = deployed(registry, { MASTER_KEY: OLD })
    const made = await make(before)
    const rotate = async () => {
      const rotation = { keepSeconds: 3_600 }
      return valueOf(await before.control.credentials.rotate('admin', made.secretId, rotation))
    }
    const drawn: string[] = []
    // Between reading and writing, by an edge that has the old key still.
    const raced = new Proxy(registry, {
      get: (stub, method, receiver) =>
        method === 'resealCredentials'
          ? async (...args: Parameters<typeof stub.resealCredentials>) => {
              if (drawn.length === 0) drawn.push((await rotate()).secrets.secretKey)
              return stub.resealCredentials(...args)
            }
          : (Reflect.get(stub, method, receiver) as unknown),
    })
    const during = { MASTER_KEY: NEW, MAC_KEY: OLD, MASTER_KEY_PREVIOUS: OLD }
    const resealed = await deployed(raced, during).control.credentials.reseal('admin')
    expect(valueOf(resealed)).toEqual({ resealed: 1, total: 1 })
    const after = deployed(registry, { MASTER_KEY: NEW, MAC_KEY: OLD })
    const found = await after.directory.findCredential(made.secretId)
    expect(found?.secretKeys).toEqual([...drawn, made.secretKey])
  })
})
