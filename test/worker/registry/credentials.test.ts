import { describe, it } from 'vitest'
import { createDirectoryCache } from '../../../worker/registry/cached-directory.ts'
import type { StoredCredential } from '../../../worker/registry/credentials-table.ts'
import { deriveEncryptionKey, deriveMacKey } from '../../../worker/registry/derived-key.ts'
import {
  MIXED_ALPHABET,
  platformRandomBytes,
  randomText,
} from '../../../worker/registry/random-text.ts'
import { isGenuineSecretId, mintSecretId } from '../../../worker/registry/secret-id.ts'
import {
  openSecret,
  resealSecrets,
  sealSecret,
  tokenOwner,
} from '../../../worker/registry/secret-vault.ts'

const MASTER = 'a master key of the tests'
const macKey = (master = MASTER) => deriveMacKey(master, 'secret-id mac v1')
const vaultKey = (master = MASTER) => deriveEncryptionKey(master, 'secret-key encryption v1')

describe('a SecretId', () => {
  it('is genuine as minted', async ({ expect }) => {
    const key = await macKey()
    const ids = await Promise.all(
      Array.from({ length: 50 }, () => mintSecretId(key, platformRandomBytes)),
    )
    expect(new Set(ids).size).toBe(50)
    for (const id of ids) {
      expect(id).toMatch(/^AKID[A-Za-z0-9]{20}[a-z0-9]{12}$/)
      expect(await isGenuineSecretId(id, await macKey())).toBe(true)
    }
  })

  it('is not genuine with any one character changed, or under another master key', async ({
    expect,
  }) => {
    const key = await macKey()
    const id = await mintSecretId(key, platformRandomBytes)
    for (let i = 0; i < id.length; i++) {
      const changed = id.slice(0, i) + (id[i] === 'a' ? 'b' : 'a') + id.slice(i + 1)
      expect(await isGenuineSecretId(changed, key)).toBe(false)
    }
    for (const other of ['', 'AKID', `${id}a`, id.slice(0, -1), `${id}\n`]) {
      expect(await isGenuineSecretId(other, key)).toBe(false)
    }
    expect(await isGenuineSecretId(id, await macKey('another master key'))).toBe(false)
  })
})

describe('a sealed secret', () => {
  it('opens to what was sealed, and never looks the same twice', async ({ expect }) => {
    const key = await vaultKey()
    const sealed = await sealSecret('secret', 'AKIDa', key, platformRandomBytes)
    expect(await openSecret(sealed, 'AKIDa', [await vaultKey()])).toBe('secret')
    expect(await sealSecret('secret', 'AKIDa', key, platformRandomBytes)).not.toBe(sealed)
    expect(atob(sealed)).not.toContain('secret')
  })

  it('does not open for another SecretId, under another key, changed, or of another version', async ({
    expect,
  }) => {
    const key = await vaultKey()
    const sealed = await sealSecret('secret', 'AKIDa', key, platformRandomBytes)
    const bytes = Array.from(atob(sealed), (c) => c.charCodeAt(0))
    const changed = (at: number) =>
      btoa(String.fromCharCode(...bytes.map((b, i) => (i === at ? b ^ 1 : b))))
    await expect(openSecret(sealed, 'AKIDb', [key])).rejects.toThrow()
    await expect(openSecret(sealed, 'AKIDa', [await vaultKey('another')])).rejects.toThrow()
    await expect(openSecret(changed(bytes.length - 1), 'AKIDa', [key])).rejects.toThrow()
    await expect(openSecret(changed(0), 'AKIDa', [key])).rejects.toThrow('form')
    // What is sealed as a session token is no secret, and the other way round.
    await expect(openSecret(sealed, tokenOwner('AKIDa'), [key])).rejects.toThrow()
  })

  it('opens under each of the keys, and is sealed anew only where it is not under the first', async ({
    expect,
  }) => {
    const [current, previous] = [await vaultKey('current'), await vaultKey('previous')]
    const keys = [current, previous] as const
    const seal = (secret: string, key: CryptoKey, owner = 'AKIDa') =>
      sealSecret(secret, owner, key, platformRandomBytes)
    const [fresh, old] = [await seal('fresh', current), await seal('old', previous)]
    expect(await openSecret(fresh, 'AKIDa', keys)).toBe('fresh')
    expect(await openSecret(old, 'AKIDa', keys)).toBe('old')

    const reseal = (secrets: Parameters<typeof resealSecrets>[1]) =>
      resealSecrets('AKIDa', secrets, keys, platformRandomBytes)
    expect(await reseal({ sealedKeys: [{ sealed: fresh }] })).toBeUndefined()
    const sealedKeys = [{ sealed: fresh }, { sealed: old, expires: 5 }]
    const sealedToken = await seal('token', previous, tokenOwner('AKIDa'))
    const anew = await reseal({ sealedKeys, sealedToken })
    expect(anew?.sealedKeys[0]).toEqual({ sealed: fresh })
    expect(anew?.sealedKeys[1]?.expires).toBe(5)
    expect(await openSecret(anew?.sealedKeys[1]?.sealed ?? '', 'AKIDa', [current])).toBe('old')
    const token = anew?.sealedToken ?? ''
    expect(await openSecret(token, tokenOwner('AKIDa'), [current])).toBe('token')
  })
})

describe('random text', () => {
  it('skips bytes that would favour some characters', ({ expect }) => {
    const bytes = [255, 248, 0, 247, 61]
    const text = randomText(MIXED_ALPHABET, 3, (length) => new Uint8Array(bytes.splice(0, length)))
    expect(text).toBe(`a${MIXED_ALPHABET[247 % 62]}${MIXED_ALPHABET[61]}`)
  })
})

describe('the directory', () => {
  /** `older`: when a second, older secret ends. */
  async function makeDirectory(more: Partial<StoredCredential> = {}, older?: number) {
    const clock = { now: 0 }
    const encryption = await vaultKey()
    const keys = { mac: await macKey(), encryption: [encryption] as const }
    const seal = (secret: string) => sealSecret(secret, secretId, encryption, platformRandomBytes)
    const secretId = await mintSecretId(keys.mac, platformRandomBytes)
    const stored: StoredCredential = {
      secretId,
      name: '',
      sealedKeys: [
        { sealed: await seal('secret') },
        ...(older === undefined ? [] : [{ sealed: await seal('older'), expires: older }]),
      ],
      scopes: ['send'],
      datahubs: 'all',
      disabled: false,
      revision: 1,
      created: 0,
      changed: 0,
      ...more,
    }
    const asked: string[] = []
    const directory = createDirectoryCache({ now: () => clock.now, log: () => {} }).view({
      registry: {
        async findTask(datahub) {
          asked.push(datahub)
          return null
        },
        taskTopics: async () => [],
        async findCredential(id) {
          asked.push(id)
          return id === secretId ? stored : null
        },
      },
      keys: async () => keys,
      waitUntil: () => {},
    })
    return { directory, secretId, asked, keys, clock }
  }

  it('opens the secrets of a credential, once', async ({ expect }) => {
    const { directory, secretId, asked } = await makeDirectory()
    const credential = { secretId, secretKeys: ['secret'], scopes: ['send'], datahubs: 'all' }
    expect(await directory.findCredential(secretId)).toEqual(credential)
    expect(await directory.findCredential(secretId)).toEqual(credential)
    expect(asked).toEqual([secretId])
  })

  it('asks nobody about a forged SecretId or a text that is no datahub', async ({ expect }) => {
    const { directory, secretId, asked } = await makeDirectory()
    const forged = `${secretId.slice(0, -1)}${secretId.endsWith('0') ? '1' : '0'}`
    expect(await directory.findCredential(forged)).toBeUndefined()
    expect(await directory.findTask('datahub-UPPERCASE')).toBeUndefined()
    expect(asked).toEqual([])
  })

  it('does not know a disabled or an unknown credential', async ({ expect }) => {
    const { directory, secretId, keys } = await makeDirectory({ disabled: true })
    expect(await directory.findCredential(secretId)).toBeUndefined()
    const unknown = await mintSecretId(keys.mac, platformRandomBytes)
    expect(await directory.findCredential(unknown)).toBeUndefined()
  })

  it('forgets a credential and an older secret the moment that they end, cached or not', async ({
    expect,
  }) => {
    const { directory, secretId, asked, clock } = await makeDirectory({ expires: 2_000 }, 1_000)
    const secretsAt = async (now: number) => {
      clock.now = now
      return (await directory.findCredential(secretId))?.secretKeys
    }
    expect(await secretsAt(0)).toEqual(['secret', 'older'])
    expect(await secretsAt(999)).toEqual(['secret', 'older'])
    expect(await secretsAt(1_000)).toEqual(['secret'])
    expect(await secretsAt(1_999)).toEqual(['secret'])
    expect(await secretsAt(2_000)).toBeUndefined()
    expect(asked).toEqual([secretId])
  })
})
