/** Where the isolate's time goes: V8's sampling profiler, over the inspector of workerd, and what its profile says by function and file. */
import { once } from 'node:events'

interface CallFrame {
  functionName: string
  url: string
  lineNumber: number
}

/** Of the inspector's protocol. */
export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame }[]
  samples: number[]
  /** µs from the sample before. */
  timeDeltas: number[]
}

export interface Cost {
  name: string
  /** Of the time in which the isolate did something. */
  share: number
}

export interface Costs {
  /** `sha256Hex (worker/tencent/signature.ts)`; the largest first. */
  functions: Cost[]
  /** The same by file; what V8 and the platform do themselves is in `platform`. */
  files: Cost[]
}

const SAMPLE_EVERY_US = 200

export async function profiled(inspector: string, run: () => Promise<void>): Promise<CpuProfile> {
  const socket = new WebSocket(inspector)
  const answers = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >()
  const fail = (what: string) => (): void => {
    for (const { reject } of answers.values()) reject(new Error(`the inspector of workerd ${what}`))
  }
  socket.addEventListener('error', fail('failed'))
  socket.addEventListener('close', fail('closed'))
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number
      result?: unknown
      error?: { message: string }
    }
    const answer = answers.get(id ?? 0)
    if (error) answer?.reject(new Error(error.message))
    else answer?.resolve(result)
  })
  let last = 0
  const call = (method: string, params: object = {}): Promise<unknown> => {
    const id = ++last
    return new Promise((resolve, reject) => {
      answers.set(id, { resolve, reject })
      socket.send(JSON.stringify({ id, method, params }))
    })
  }
  try {
    await once(socket, 'open')
    await call('Profiler.enable')
    await call('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US })
    await call('Profiler.start')
    await run()
    return ((await call('Profiler.stop')) as { profile: CpuProfile }).profile
  } finally {
    answers.clear()
    socket.close()
  }
}

/** `bundle`: the worker's text, in which esbuild says from which file each part is. */
export function costsOf(profile: CpuProfile, bundle: string): Costs {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]))
  const fileOfLine = filesOf(bundle)
  const functions = new Map<string, number>()
  const files = new Map<string, number>()
  for (const [i, id] of profile.samples.entries()) {
    const frame = frames.get(id)
    if (!frame || frame.functionName === '(idle)') continue
    const time = profile.timeDeltas[i] ?? 0
    const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
    const isOurs = frame.url !== '' && frame.lineNumber >= 0
    const file = (isOurs && fileOfLine[frame.lineNumber]) || 'platform'
    add(functions, file === 'platform' ? name : `${name} (${file})`, time)
    add(files, file, time)
  }
  return { functions: sharesOf(functions), files: sharesOf(files) }
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time)
}

function sharesOf(times: ReadonlyMap<string, number>): Cost[] {
  const all = [...times.values()].reduce((sum, time) => sum + time, 0)
  return [...times]
    .map(([name, time]) => ({ name, share: time / all }))
    .toSorted((a, b) => b.share - a.share)
}

/** By line of the bundle. */
function filesOf(bundle: string): string[] {
  let file = ''
  return bundle.split('\n').map((line) => {
    const [, path] = /^ *\/\/ ((?:\.\.\/)*[\w@.-]+(?:\/[\w@.-]+)+\.[jt]s)$/.exec(line) ?? []
    if (path !== undefined) file = path.replace(/^.*node_modules\//, '').replace(/^(\.\.\/)+/, '')
    return file
  })
}
