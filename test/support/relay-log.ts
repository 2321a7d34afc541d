// The relay's log as a stream of events: a test waits for the line that says what it waits for.
import { watch } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface LogLine {
  pid: number
  shard?: number
  transaction?: number
  step?: string
  msg: string
}

export interface RelayLog {
  // The first line written from now on that fits.
  next(fits: (line: LogLine) => boolean): Promise<LogLine>
  close(): void
}

const pathOf = (state: string) => join(state, 'logs/relay.log')

export async function readRelayLog(state: string): Promise<LogLine[]> {
  return parse(await readFile(pathOf(state), 'utf8'))
}

export async function followRelayLog(state: string): Promise<RelayLog> {
  const file = await open(pathOf(state))
  let position = (await file.stat()).size
  let rest = ''
  let waiters: { fits: (line: LogLine) => boolean; resolve: (line: LogLine) => void }[] = []
  let reading = Promise.resolve()
  const read = async () => {
    const { size } = await file.stat()
    if (size <= position) return
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(size - position),
      0,
      size - position,
      position,
    )
    position += bytesRead
    const text = rest + buffer.toString('utf8', 0, bytesRead)
    rest = text.slice(text.lastIndexOf('\n') + 1)
    for (const line of parse(text)) {
      waiters = waiters.filter(({ fits, resolve }) => {
        if (!fits(line)) return true
        resolve(line)
        return false
      })
    }
  }
  const watcher = watch(pathOf(state), () => (reading = reading.then(read)))
  return {
    next: (fits) => new Promise((resolve) => waiters.push({ fits, resolve })),
    close() {
      watcher.close()
      void reading.then(() => file.close())
    },
  }
}

function parse(text: string): LogLine[] {
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : []))
}
