import { env } from 'cloudflare:workers'
import { describe, it } from 'vitest'
import { parseSettings, SettingsError } from '../../worker/settings.ts'

describe('parseSettings', () => {
  it('takes wrangler.toml as it stands', ({ expect }) => {
    expect(parseSettings(env)).toMatchObject({
      instance: 'ckafka-devlocal',
      shards: 2,
      sendMessageWaitMs: 10_000,
      hostAliases: [],
      addressRateLimit: false,
      unsignedPayload: 'allow',
      receiptKeys: ['receipt key of the tests, 32 or more'],
    })
  })

  it('knows whether addresses are counted', ({ expect }) => {
    expect(parseSettings({ ...env, ADDRESS_RATE_LIMIT: 'on' }).addressRateLimit).toBe(true)
  })

  it('takes a previous receipt key and host aliases', ({ expect }) => {
    const RECEIPT_KEY_PREVIOUS = 'p'.repeat(32)
    const settings = parseSettings({
      ...env,
      RECEIPT_KEY_PREVIOUS,
      HOST_ALIASES: 'a.test, b.test ',
    })
    expect(settings.receiptKeys).toHaveLength(2)
    expect(settings.hostAliases).toEqual(['a.test', 'b.test'])
  })

  it('takes a previous master key only together with the key of the MACs, which must not change', ({
    expect,
  }) => {
    const [MASTER_KEY, MASTER_KEY_PREVIOUS] = ['n'.repeat(32), 'o'.repeat(32)]
    const MAC_KEY = MASTER_KEY_PREVIOUS
    expect(parseSettings({ ...env, MASTER_KEY })).toMatchObject({
      ...{ masterKeys: [MASTER_KEY], macKey: MASTER_KEY },
    })
    expect(parseSettings({ ...env, MASTER_KEY, MAC_KEY, MASTER_KEY_PREVIOUS })).toMatchObject({
      ...{ masterKeys: [MASTER_KEY, MASTER_KEY_PREVIOUS], macKey: MAC_KEY },
    })
    // The step before the change itself: both are the same still.
    const before = { ...env, MASTER_KEY, MASTER_KEY_PREVIOUS: MASTER_KEY }
    expect(parseSettings(before)).toMatchObject({ macKey: MASTER_KEY })
    const message = messageOf(() => parseSettings({ ...env, MASTER_KEY, MASTER_KEY_PREVIOUS }))
    expect(message).toContain('MAC_KEY:')
    expect(message).not.toContain('ooo')
  })

  it('names every bad setting at once and shows none of their values', ({ expect }) => {
    const bad = {
      ...env,
      INSTANCE_ID: 'kafka-1',
      SHARDS: '3',
      SEND_MESSAGE_WAIT_MS: '26000',
      ADDRESS_RATE_LIMIT: 'true',
      UNSIGNED_PAYLOAD: 'yes',
      RECEIPT_KEY: 'hunter2',
      ADMIN_TOKEN: undefined,
    }
    const message = messageOf(() => parseSettings(bad))
    for (const name of [
      'INSTANCE_ID',
      'SHARDS',
      'SEND_MESSAGE_WAIT_MS',
      'ADDRESS_RATE_LIMIT',
      'UNSIGNED_PAYLOAD',
      'RECEIPT_KEY',
      'ADMIN_TOKEN',
    ]) {
      expect(message).toContain(`${name}:`)
    }
    expect(message).not.toContain('hunter2')
    expect(message).not.toContain('RELAY_TOKEN')
  })

  it.for(['', ' ', 'two', '1.5', '0', '16', '-2'])('refuses SHARDS=%s', (SHARDS, { expect }) => {
    expect(() => parseSettings({ ...env, SHARDS })).toThrow(SettingsError)
  })

  it('refuses an empty SEND_MESSAGE_WAIT_MS', ({ expect }) => {
    expect(() => parseSettings({ ...env, SEND_MESSAGE_WAIT_MS: '' })).toThrow(SettingsError)
  })
})

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof SettingsError) return error.message
    throw error
  }
  throw new Error('nothing was thrown')
}
