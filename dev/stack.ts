/**
 * `npm run dev`: the whole product on this machine. Real Kafka (or the cluster of KAFKA_BROKERS), the worker and the pull simulator on
 * wrangler, the relay, a demo task with keys, a banner. The order up: Kafka and worker, then the demo, then the relay, which says that the demo can run. The order down:
 * relay (it settles first), worker, Kafka. This file is that order, and nothing else.
 */
import { appendFile, mkdir, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { banner } from './banner.ts'
import type { Child } from './child.ts'
import type { DevJson } from './dev-json.ts'
import { writeAtomically } from './files.ts'
import { readFlags, USAGE, type Flags } from './flags.ts'
import { findFreePorts } from './kafka/ports.ts'
import { openKeys, type Keys } from './keys.ts'
import { openState } from './leftovers.ts'
import { openKafka, type DevKafka } from './local-kafka.ts'
import { familyOf } from './processes.ts'
import { LOCAL_ACCOUNT_ID, LOCAL_QUEUES } from './queue-pull/queues.ts'
import { checkPorts, Refusal } from './refusal.ts'
import { startRelay } from './relay-process.ts'
import { seedDemo, taskRuns, type Demo } from './seed.ts'
import { startWorker } from './worker-process.ts'

const LOCAL_REGION = 'ap-guangzhou'
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

async function main(): Promise<void> {
  const read = readFlags(process.argv.slice(2))
  if (read.status === 'help') {
    process.stdout.write(USAGE)
    return
  }
  if (read.status === 'invalid') {
    process.stderr.write(`${read.problems.join('\n')}\n\n${USAGE}`)
    process.exitCode = 2
    return
  }
  const say = (line: string) => {
    if (!read.flags.jsonOnly) process.stdout.write(`${line}\n`)
  }
  const stack = new Stack(read.flags, say)
  const stopped = stack.stopOnSignal()
  try {
    await stack.start()
  } catch (error) {
    if (!stack.isStopping) {
      const text =
        error instanceof Refusal
          ? error.message
          : error instanceof Error
            ? (error.stack ?? error.message)
            : String(error)
      process.stderr.write(`${text}\n`)
      process.exitCode = 1
      await stack.stop()
    }
  }
  await stopped
}

class Stack {
  readonly #flags: Flags
  readonly #say: (line: string) => void
  readonly #state: string
  readonly #stopping = Promise.withResolvers<void>()
  #kafka: DevKafka | undefined
  #worker: Child | undefined
  readonly #relays: Child[] = []
  #ready: Omit<DevJson, 'pids'> | undefined
  /** One after the other: the last one written has to be the newest. */
  #writing: Promise<unknown> = Promise.resolve()
  #stop: Promise<void> | undefined

  constructor(flags: Flags, say: (line: string) => void) {
    this.#flags = flags
    this.#say = say
    this.#state = resolve(flags.state)
  }

  get isStopping(): boolean {
    return this.#stop !== undefined
  }

  /** @throws Refusal for what the user can mend, Error for the rest */
  async start(): Promise<void> {
    const flags = this.#flags
    const state = this.#state
    const api = `http://127.0.0.1:${flags.port}`
    await mkdir(join(state, 'logs'), { recursive: true })
    await this.#log('The stack starts')
    await openState(this.#devJsonPath)
    await checkPorts([{ port: flags.port, flag: '--port', what: 'the API' }])
    const keys = await openKeys(join(state, 'keys.json'))

    const restart = !flags.noRestart
    const onChange = () => void this.#writeDevJson()
    const onDeath = (what: string) => (how: string, final: boolean) =>
      this.#sayDeath(what, how, final)
    // Both take seconds and need nothing of each other.
    const [kafka] = await this.#all(
      openKafka({ state, flags, say: this.#say, onChange, onDeath: onDeath('Kafka') }).then(
        (opened) => (this.#kafka = opened),
      ),
      startWorker(
        {
          root: ROOT,
          state,
          port: flags.port,
          api,
          restart,
          vars: workerVars(flags, keys),
          onChange,
          onDeath: onDeath('The worker'),
        },
        (child) => {
          this.#worker = child
        },
      ),
    )
    this.#say('Kafka and the worker are up; making the demo task')
    const demo = await seedDemo({
      path: join(state, 'demo.json'),
      api,
      adminToken: keys.adminToken,
      brokers: kafka.brokers,
    })

    const relays = await this.#startRelays({ flags, keys, api, kafka })
    if (this.isStopping) return
    await taskRuns(demo, { api, adminToken: keys.adminToken })
    this.#ready = { ...describe({ flags, keys, demo, api, kafka }), relays }
    const devJson = await this.#writeDevJson()
    if (!devJson) return
    if (flags.jsonOnly) process.stdout.write(`${JSON.stringify(devJson)}\n`)
    else this.#say(banner(devJson, flags.state))
  }

  /** All at once: which of them serves which shard is settled among themselves. */
  async #startRelays(
    of: Omit<Parameters<typeof relayEnv>[0], 'opsPort' | 'name'>,
  ): Promise<{ ops: string }[]> {
    const ports = await findFreePorts(of.flags.relays)
    const starting = ports.map(async (opsPort, i) => {
      const name = `relay-${i + 1}`
      const ops = await startRelay(
        {
          root: ROOT,
          state: this.#state,
          name,
          restart: !of.flags.noRestart,
          failpoints: of.flags.failpoints,
          ops: `http://127.0.0.1:${opsPort}`,
          env: relayEnv({ ...of, opsPort, name }),
          onChange: () => void this.#writeDevJson(),
          onDeath: (how, final) => this.#sayDeath(name, how, final),
        },
        (child) => this.#relays.push(child),
      )
      return { ops }
    })
    await Promise.allSettled(starting)
    return Promise.all(starting)
  }

  #sayDeath(what: string, how: string, final: boolean): void {
    const line = `${what} ended (${how})${final ? '; it stays down' : '; it is started again'}`
    this.#say(line)
    void this.#log(line).catch(() => undefined)
    void this.#writeDevJson()
  }

  /** Also with --json-only, when nothing is printed. */
  async #log(msg: string): Promise<void> {
    const line = JSON.stringify({ time: new Date().toISOString(), pid: process.pid, msg })
    await appendFile(join(this.#state, 'logs/stack.log'), `${line}\n`)
  }

  /** In order, each only after the one before is down. Safe to call twice. */
  stop(): Promise<void> {
    this.#stop ??= this.#stopAll()
    return this.#stop
  }

  /** Ctrl-C and SIGTERM stop the stack; a second one ends the wait. Resolves when all is down. */
  async stopOnSignal(): Promise<void> {
    const onSignal = () => {
      if (this.isStopping) process.exit(130)
      this.#say('\nStopping: relay, worker, Kafka. Once more to give up the order.')
      void this.stop()
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
    await this.#stopping.promise
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }

  async #stopAll(): Promise<void> {
    try {
      await Promise.all(this.#relays.map((relay) => relay.stop()))
      await this.#worker?.stop()
      await this.#kafka?.stop()
    } finally {
      await this.#writing
      if (this.#ready) await rm(this.#devJsonPath, { force: true })
      this.#stopping.resolve()
    }
  }

  /** Waits for all, so that what comes up is known and can be stopped, then throws the first failure. */
  async #all<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
    await Promise.allSettled([a, b])
    return Promise.all([a, b])
  }

  #writeDevJson(): Promise<DevJson | undefined> {
    const written = this.#writing.then(() => this.#writeDevJsonNow())
    this.#writing = written.catch(() => undefined)
    return written
  }

  async #writeDevJsonNow(): Promise<DevJson | undefined> {
    if (!this.#ready || this.isStopping) return undefined
    const worker = this.#worker?.pid
    const devJson: DevJson = {
      ...this.#ready,
      pids: {
        stack: process.pid,
        kafka: this.#kafka?.pids() ?? [],
        worker: worker === undefined ? [] : await familyOf(worker),
        relay: this.#relays.flatMap(({ pid }) => pid ?? []),
      },
    }
    await writeAtomically(this.#devJsonPath, `${JSON.stringify(devJson, undefined, 2)}\n`)
    return devJson
  }

  get #devJsonPath(): string {
    return join(this.#state, 'dev.json')
  }
}

function workerVars(flags: Flags, keys: Keys): Record<string, string> {
  return {
    INSTANCE_ID: keys.instanceId,
    REGION: LOCAL_REGION,
    SHARDS: String(flags.shards),
    // Here all callers have one address, and load comes from few of them.
    ADDRESS_RATE_LIMIT: 'off',
    RECEIPT_KEY: keys.receiptKey,
    MASTER_KEY: keys.masterKey,
    ADMIN_TOKEN: keys.adminToken,
    RELAY_TOKEN: keys.relayToken,
    QUEUE_TOKEN: keys.queueToken,
  }
}

function relayEnv(of: {
  flags: Flags
  keys: Keys
  api: string
  opsPort: number
  name: string
  kafka: DevKafka
}): Record<string, string> {
  const { flags, keys, api, opsPort, name, kafka } = of
  const queues = LOCAL_QUEUES.slice(0, flags.shards)
  return {
    INSTANCE_ID: keys.instanceId,
    QUEUE_API_URL: api,
    QUEUE_API_TOKEN: keys.queueToken,
    ACCOUNT_ID: LOCAL_ACCOUNT_ID,
    QUEUE_IDS: queues.map(({ id }) => id).join(','),
    DEAD_LETTER_QUEUE_IDS: queues.map(({ deadLetter }) => deadLetter.id).join(','),
    WORKER_URL: api,
    RELAY_TOKEN: keys.relayToken,
    KAFKA_BROKERS: kafka.brokers.join(','),
    MIN_IN_SYNC_REPLICAS: String(kafka.minInSyncReplicas),
    RELAY_ID: name,
    OPS_PORT: String(opsPort),
    // Shorter than in production: after a crash nobody wants to wait a minute for what it held.
    TRANSACTION_TIMEOUT_MS: process.env['TRANSACTION_TIMEOUT_MS'] ?? '10000',
    LEASE_MS: process.env['LEASE_MS'] ?? '15000',
    GROUP_SESSION_TIMEOUT_MS:
      process.env['GROUP_SESSION_TIMEOUT_MS'] ?? String(kafka.groupSessionTimeoutMs ?? ''),
    // The steps of each transaction: what a crash hit can be read from the log.
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'debug',
  }
}

function describe(of: {
  flags: Flags
  keys: Keys
  demo: Demo
  api: string
  kafka: DevKafka
}): Omit<DevJson, 'pids' | 'relays'> {
  const { flags, keys, demo, api, kafka } = of
  return {
    api,
    queueApi: api,
    accountId: LOCAL_ACCOUNT_ID,
    queueToken: keys.queueToken,
    queues: LOCAL_QUEUES.slice(0, flags.shards).map(({ id, name }) => ({ id, name })),
    kafka: kafka.brokers.join(','),
    adminToken: keys.adminToken,
    relayToken: keys.relayToken,
    instanceId: keys.instanceId,
    region: LOCAL_REGION,
    ...demo,
  }
}

await main()
