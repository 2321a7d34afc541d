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
      receiptKeys: ['receipt key of the tests, 32 or more'],
    })
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

  it('names every bad setting at once and shows none of their values', ({ expect }) => {
    const bad = {
      ...env,
      INSTANCE_ID: 'kafka-1',
      SHARDS: '3',
      SEND_MESSAGE_WAIT_MS: '26000',
      RECEIPT_KEY: 'hunter2',
      ADMIN_TOKEN: undefined,
    }
    const message = messageOf(() => parseSettings(bad))
    for (const name of [
      'INSTANCE_ID',
      'SHARDS',
      'SEND_MESSAGE_WAIT_MS',
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
