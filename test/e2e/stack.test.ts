import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { inject, it } from 'vitest'
import { findFreePorts } from '../../dev/kafka/ports.ts'
import { accept, finalReceipt, getReceipt, postReports } from '../support/api.ts'
import { readTopic } from '../support/kafka-reader.ts'
import { readRelayLog } from '../support/relay-log.ts'
import { runStack, startStack } from '../support/stack.ts'

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'edgehub-test-dev-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('Ctrl-C ends all of it, the relay settled first, and a second start finds its receipt, key and record again', async ({
  expect,
}) => {
  await withFolder(async (state) => {
    const first = await startStack({ state })
    const { receipt } = await accept(first.dev, [{ value: 'from before' }])
    const final = await finalReceipt(first.dev, receipt)
    const end = await first.stop()
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expect((await readRelayLog(state)).at(-1)?.msg).toBe('The relay is stopped')
    expect(await readdir(state)).not.toContain('dev.json')

    const second = await startStack({ state })
    try {
      expect(second.dev).toMatchObject({
        datahubId: first.dev.datahubId,
        secretId: first.dev.secretId,
        secretKey: first.dev.secretKey,
        instanceId: first.dev.instanceId,
      })
      expect(await getReceipt(second.dev, receipt)).toEqual(final)
      expect((await postReports(second.dev, [{ value: 'with the old key' }])).status).toBe(202)
      const [message] = final.messages ?? []
      const records = await readTopic({
        brokers: second.dev.kafka.split(','),
        topic: first.dev.topic,
      })
      const record = records.find(
        (r) => r.partition === message?.partition && r.offset === Number(message?.offset),
      )
      expect(record?.value?.toString()).toBe('from before')
    } finally {
      await second.stop()
    }
  })
})

it('of two relays dev.json names addresses and processes; one that is killed is started again, and named anew', async ({
  expect,
}) => {
  const stack = await startStack({ brokers: inject('brokers'), args: ['--relays', '2'] })
  try {
    const { pids, relays } = stack.dev
    const [killed = 0, other = 0] = pids.relay
    expect(new Set([killed, other, 0]).size).toBe(3)
    expect(new Set(relays.map(({ ops }) => ops)).size).toBe(2)
    for (const { ops } of relays) expect((await fetch(`${ops}/readyz`)).status).toBe(200)

    process.kill(killed, 'SIGKILL')
    await expect
      .poll(async () => (await stack.devNow()).pids.relay, { timeout: 20_000 })
      .toEqual([expect.not.toBeOneOf([killed, other]), other])
    expect((await stack.devNow()).relays).toEqual(relays)
    const { receipt } = await accept(stack.dev, [{ value: 'after the kill' }])
    expect((await finalReceipt(stack.dev, receipt)).status).toBe('delivered')
  } finally {
    await stack.stop()
  }
})

it('a port in use is named, with what to do, and nothing is started', async ({ expect }) => {
  const [port = 0] = await findFreePorts(1)
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await withFolder(async (state) => {
      const { code, stderr } = await runStack({ state, args: ['--port', String(port)] })
      expect(code).toBe(1)
      expect(stderr).toContain(`Port ${port} (the API) is in use.`)
      expect(await readdir(state)).toEqual(['logs'])
    })
  } finally {
    server.close()
  }
})

it('a missing Java is said before anything starts, with what to do', async ({ expect }) => {
  await withFolder(async (folder) => {
    await mkdir(join(folder, 'bin'))
    await symlink(process.execPath, join(folder, 'bin/node'))
    const state = join(folder, 'state')
    const { code, stderr } = await runStack({ state, env: { PATH: join(folder, 'bin') } })
    expect(code).toBe(1)
    expect(stderr).toContain('Java was not found. Install a JDK')
    expect(await readdir(state)).not.toContain('kafka')
  })
})

it('a cluster in KAFKA_BROKERS that does not answer is named', async ({ expect }) => {
  const [port = 0] = await findFreePorts(1)
  await withFolder(async (state) => {
    const { code, stderr } = await runStack({ state, brokers: [`127.0.0.1:${port}`] })
    expect(code).toBe(1)
    expect(stderr).toContain(`No Kafka answers at KAFKA_BROKERS=127.0.0.1:${port}`)
  })
})

it.for([
  [['--relays', '0'], '--relays 0'],
  [['--relays', '9'], '--relays 9'],
  [['--shards', '3'], '--shards 3'],
  [['--brokers', '2'], '--brokers 2'],
  [['--colour'], '--colour'],
] as const)(
  '%s is refused by name, with the usage and exit code 2',
  async ([args, named], { expect }) => {
    const { code, stderr } = await runStack({ args })
    expect(code).toBe(2)
    expect(stderr).toContain(named)
    expect(stderr).toContain('npm run dev -- [flags]')
  },
)
