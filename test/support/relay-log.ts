// The logs of a stack as streams of events: a test waits for the line, or the state of things, that it waits for.
import { watch } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface LogLine {
  // ISO, of the moment.
  time: string
  pid: number
  shard?: number
  transaction?: number
  // A moment of relay/failpoints.ts.
  point?: string
  msg: string
  // Where the group says that shards are ours.
  shards?: number[]
  // Why messages were handed back, and how many.
  reason?: string
  messages?: number
}

export interface RelayLog {
  // All of the file, in order; grows.
  lines: readonly LogLine[]
  // The first line written from now on that fits.
  next(fits: (line: LogLine) => boolean): Promise<LogLine>
  // As soon as something is found in all that was written so far.
  until<T>(find: (lines: readonly LogLine[]) => T | undefined): Promise<T>
  close(): void
}

const pathOf = (state: string, name: string) => join(state, `logs/${name}.log`)

// `relay`: the first is 1.
export async function readRelayLog(state: string, relay = 1): Promise<LogLine[]> {
  return parse(await readFile(pathOf(state, `relay-${relay}`), 'utf8'))
}

export function followRelayLog(state: string, relay = 1): Promise<RelayLog> {
  return followLog(state, `relay-${relay}`)
}

// What the stack says of its processes.
export function followStackLog(state: string): Promise<RelayLog> {
  return followLog(state, 'stack')
}

async function followLog(state: string, name: string): Promise<RelayLog> {
  const path = pathOf(state, name)
  const file = await open(path)
  const lines: LogLine[] = []
  let position = 0
  let rest = ''
  // Told after each change, until it says that it is done.
  let waiters: ((added: readonly LogLine[]) => boolean)[] = []
  const read = async () => {
    const { size } = await file.stat()
    if (size <= position) return
    const length = size - position
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
    position += bytesRead
    const text = rest + buffer.toString('utf8', 0, bytesRead)
    rest = text.slice(text.lastIndexOf('\n') + 1)
    const added = parse(text)
    lines.push(...added)
    waiters = waiters.filter((isDone) => !isDone(added))
  }
  let reading = read()
  const watcher = watch(path, () => (reading = reading.then(read)))
  await reading
  return {
    lines,
    next: (fits) =>
      new Promise((resolve) => {
        waiters.push((added) => {
          const line = added.find(fits)
          if (line) resolve(line)
          return line !== undefined
        })
      }),
    until: (find) =>
      new Promise((resolve) => {
        const isDone = () => {
          const found = find(lines)
          if (found !== undefined) resolve(found)
          return found !== undefined
        }
        if (!isDone()) waiters.push(isDone)
      }),
    close() {
      watcher.close()
      void reading.then(() => file.close())
    },
  }
}

const TAKEN_OVER = 'The shard is taken over and its ledger is read'
const ENDS_OWNING = new Set([
  'The shard is stopped',
  'A transaction is in doubt; the ledger will tell',
  'Another owner has fenced this one; it waits for the group',
])

// What a process that owns a shard says when it has lost it, or may have.
export const isOwningEnd = ({ msg }: LogLine) => ENDS_OWNING.has(msg)

export const isTakenOver = ({ msg }: LogLine) => msg === TAKEN_OVER

export const sinceTime =
  (ms: number) =>
  ({ time }: LogLine) =>
    Date.parse(time) >= ms

// The shards that the newest process in this log owns, if each of them is booted; undefined while one is not.
function servedShards(lines: readonly LogLine[]): number[] | undefined {
  const pid = lines.at(-1)?.pid
  let owned: number[] | undefined
  const booted = new Set<number | undefined>()
  for (const line of lines) {
    if (line.pid !== pid) continue
    if (line.shards) owned = line.shards
    if (isTakenOver(line)) booted.add(line.shard)
    else if (isOwningEnd(line)) booted.delete(line.shard)
  }
  return owned?.every((shard) => booted.has(shard)) ? owned : undefined
}

// To wait for: so many shards are served, by another process than `notPid` when one is named.
export const serves = (count: number, notPid?: number) => (lines: readonly LogLine[]) => {
  const shards = lines.at(-1)?.pid === notPid ? undefined : servedShards(lines)
  return shards?.length === count ? shards : undefined
}

function parse(text: string): LogLine[] {
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))
}
