// The link with the real worker in workerd at its other end.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, it, onTestFinished } from 'vitest'
import { createTestHarness } from 'wrangler'
import type { TargetState } from '#contract'
import { startRig, TOKEN, type RigOptions } from './rig.ts'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const INSTANCE_OF_WORKER = 'ckafka-devlocal'
/** On a loaded machine building the worker is not quick. */
const START_TIMEOUT_MS = 60_000

const harness = createTestHarness({
  workers: [
    {
      configPath: fileURLToPath(new URL('../../../wrangler.toml', import.meta.url)),
      secrets: {
        RECEIPT_KEY: 'receipt key of the tests, 32 or more',
        MASTER_KEY: 'master key of the tests, 32 or more',
        ADMIN_TOKEN,
        RELAY_TOKEN: TOKEN,
      },
    },
  ],
})
let url = ''
beforeAll(async () => {
  url = (await harness.listen()).url.origin
}, START_TIMEOUT_MS)
afterAll(() => harness.close())

async function start(options: RigOptions = {}) {
  const rig = await startRig({ url, instance: INSTANCE_OF_WORKER, ...options })
  onTestFinished(() => rig.stop())
  return rig
}

const admin = (init: RequestInit = {}) =>
  fetch(`${url}/v1/datahubs`, {
    ...init,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
  })

describe('with the real worker', () => {
  it('the relay is welcomed, looks at the topics of tasks, and what it finds is in them', async ({
    expect,
  }) => {
    const made = await admin({ method: 'POST', body: '{"name":"link","topic":"link-topic"}' })
    expect(made.status).toBe(201)
    const looked: string[] = []
    const rig = await start({
      targets: async ({ topics }) => {
        looked.push(...topics)
        return topics.map((topic): TargetState => ({ topic, status: 'fit', partitions: 3 }))
      },
    })
    let tasks = ''
    while (!tasks.includes('"status":1')) tasks = await (await admin()).text()
    expect(looked).toContain('link-topic')
    expect(rig.events).toEqual([{ event: 'connected' }])
  })

  it('the relay is told which topic a task wants created, and how it ended is in the task', async ({
    expect,
  }) => {
    const create = { topic: 'created-topic', partitions: 4 }
    const body = JSON.stringify({
      name: 'creates',
      topic: create.topic,
      createTopic: { partitions: 4 },
    })
    expect((await admin({ method: 'POST', body })).status).toBe(201)
    const looked = Promise.withResolvers<unknown>()
    await start({
      async targets(watched) {
        looked.resolve(watched.create)
        return [{ topic: create.topic, status: 'unfit', reason: 'topic_not_created' }]
      },
    })
    expect(await looked.promise).toEqual([create])
    let tasks = ''
    while (!tasks.includes('"problem":"topic_not_created"')) tasks = await (await admin()).text()
  })

  it('its pings are answered', async ({ expect }) => {
    const pongMs = 333
    let pings = 0
    const rig = await start({
      times: { silenceMs: 10, pongMs },
      onSleep(ms) {
        if (ms === pongMs) pings++
      },
    })
    // The third is sent only when something came after the second.
    await rig.until(() => pings === 3)
    expect(rig.events).toEqual([{ event: 'connected' }])
  })

  it('a relay of another instance is refused, and told why', async ({ expect }) => {
    const rig = await start({ instance: 'ckafka-elsewher' })
    const end = await rig.until(() => rig.events.find(({ event }) => event === 'ended'))
    expect(end).toMatchObject({ status: 'refused', why: `this is ${INSTANCE_OF_WORKER}` })
  })

  it('a relay with another token is refused', async ({ expect }) => {
    const rig = await start({ token: 'another-token-of-the-tests' })
    const end = await rig.until(() => rig.events.find(({ event }) => event === 'ended'))
    expect(end).toMatchObject({ status: 'refused', why: 'the worker answers 401' })
  })
})
