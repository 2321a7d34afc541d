// The relays of a stack as their logs show them: which process serves which shard now, and the next line that somebody waits for. Keeps
// no lines, so that a campaign of hours does not grow.
import { watch, type FSWatcher } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { isAlive } from '../../dev/processes.ts'
import { isOwningEnd, isTakenOver, type LogLine } from '../support/relay-log.ts'

export interface RelayLine extends LogLine {
  // 1 is the first relay.
  of: number
  level: string
  fault?: string
}

export interface RelayState {
  // Undefined before its first line.
  pid: number | undefined
  // Booted, and not lost since.
  serves: ReadonlySet<number>
}

const READ_BYTES = 1 << 16

interface Waiter {
  // After each batch of lines; true: done.
  look(added: readonly RelayLine[]): boolean
}

export class RelayWatch {
  readonly #logs: RelayLogFile[]
  readonly #states: { pid: number | undefined; serves: Set<number> }[]
  #waiters: Waiter[] = []
  #listeners: ((line: RelayLine) => void)[] = []

  private constructor(logs: RelayLogFile[]) {
    this.#logs = logs
    this.#states = logs.map(() => ({ pid: undefined, serves: new Set() }))
  }

  // When all that the logs have so far is read.
  static async open(state: string, relays: number): Promise<RelayWatch> {
    const logs = await Promise.all(
      Array.from({ length: relays }, (_, i) => RelayLogFile.open(state, i + 1)),
    )
    const relayWatch = new RelayWatch(logs)
    await Promise.all(logs.map((log) => log.follow((lines) => relayWatch.#add(lines))))
    return relayWatch
  }

  // 1 is the first. A process that is gone serves nothing, whatever it wrote last.
  stateOf(relay: number): RelayState {
    const { pid, serves } = this.#states[relay - 1] ?? { pid: undefined, serves: new Set() }
    if (pid === undefined || !isAlive(pid)) return { pid, serves: new Set() }
    return { pid, serves: new Set(serves) }
  }

  get relays(): number[] {
    return this.#logs.map((_, i) => i + 1)
  }

  // The relays that serve this shard; two when one has not noticed yet that it is not its any more.
  ownersOf(shard: number): number[] {
    return this.relays.filter((relay) => this.stateOf(relay).serves.has(shard))
  }

  onLine(listener: (line: RelayLine) => void): () => void {
    this.#listeners.push(listener)
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== listener)
    }
  }

  // The first line written from now on that fits.
  next(fits: (line: RelayLine) => boolean, what: string, ms: number): Promise<RelayLine> {
    return this.#wait((added) => added.find(fits), what, ms)
  }

  // As soon as something is found; looked for at once and after each change of the logs.
  until<T>(find: () => T | undefined, what: string, ms: number): Promise<T> {
    return this.#wait(find, what, ms)
  }

  #wait<T>(find: (added: readonly RelayLine[]) => T | undefined, what: string, ms: number) {
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter = {
        look(added) {
          const found = find(added)
          if (found === undefined) return false
          clearTimeout(timer)
          resolve(found)
          return true
        },
      }
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter)
        reject(new Error(`not within ${ms} ms: ${what}; ${this.describe()}`))
      }, ms)
      if (!waiter.look([])) this.#waiters.push(waiter)
    })
  }

  describe(): string {
    return this.relays
      .map((relay) => {
        const { pid, serves } = this.stateOf(relay)
        return `relay-${relay} (pid ${pid}) serves ${[...serves].join(', ') || 'nothing'}`
      })
      .join('; ')
  }

  close(): void {
    for (const log of this.#logs) log.close()
  }

  #add(lines: readonly RelayLine[]): void {
    for (const line of lines) {
      this.#apply(line)
      for (const listener of this.#listeners) listener(line)
    }
    this.#waiters = this.#waiters.filter((waiter) => !waiter.look(lines))
  }

  #apply(line: RelayLine): void {
    const state = this.#states[line.of - 1]
    if (!state) return
    if (line.pid !== state.pid) {
      state.pid = line.pid
      state.serves.clear()
    }
    if (line.shard === undefined) return
    if (isTakenOver(line)) state.serves.add(line.shard)
    else if (isOwningEnd(line)) state.serves.delete(line.shard)
  }
}

class RelayLogFile {
  readonly #relay: number
  readonly #path: string
  readonly #file: FileHandle
  readonly #buffer = Buffer.alloc(READ_BYTES)
  readonly #decoder = new StringDecoder('utf8')
  #watcher: FSWatcher | undefined
  #position = 0
  #rest = ''
  #reading: Promise<void> = Promise.resolve()

  private constructor(relay: number, path: string, file: FileHandle) {
    this.#relay = relay
    this.#path = path
    this.#file = file
  }

  static async open(state: string, relay: number): Promise<RelayLogFile> {
    const path = join(state, `logs/relay-${relay}.log`)
    return new RelayLogFile(relay, path, await open(path))
  }

  // Resolves when all that is there is read.
  async follow(onLines: (lines: RelayLine[]) => void): Promise<void> {
    const read = () => this.#read(onLines)
    this.#watcher = watch(this.#path, () => {
      this.#reading = this.#reading.then(read)
    })
    this.#reading = read()
    await this.#reading
  }

  close(): void {
    this.#watcher?.close()
    void this.#reading.then(() => this.#file.close())
  }

  async #read(onLines: (lines: RelayLine[]) => void): Promise<void> {
    for (;;) {
      const { bytesRead } = await this.#file.read(this.#buffer, 0, READ_BYTES, this.#position)
      if (bytesRead === 0) return
      this.#position += bytesRead
      const text = this.#decoder.write(this.#buffer.subarray(0, bytesRead))
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      onLines(
        lines
          // What Node itself prints is no line of ours.
          .filter((line) => line.startsWith('{'))
          .map((line) => ({ ...(JSON.parse(line) as Omit<RelayLine, 'of'>), of: this.#relay })),
      )
    }
  }
}
