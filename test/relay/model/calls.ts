// The wire and the clock of the model. Whatever a relay asks of the others waits here as a pending call until the model decides what
// becomes of it: answered, lost on the way there or on the way back, or arriving when nobody waits for it any more. Time stands still
// until the model moves it. There is no real timer and no randomness: one list of steps is one run.

// A wall clock that begins at this moment.
export const START = 1_795_000_000_000

// One life of a relay process. A dead one hears nothing any more, and nothing hears it.
export interface Life {
  readonly name: string
  alive: boolean
  // A stopped process hears nothing for now, while its requests go on.
  stopped: boolean
}

// What an effect answers when the caller has to go on waiting.
export const AGAIN = Symbol('again')

export interface Request<T> {
  what: string
  // Whether the other side would answer now.
  ready?: () => boolean
  // The effect there. What it returns or throws is the answer. `parts`: how many of its parts take effect, for requests that are several.
  execute: (parts: number) => T | typeof AGAIN
  // What the caller is told when the request or its answer is lost; without it an error.
  lost?: () => T
  // False: it has no effect, so nothing is left of it when nobody waits.
  effect?: boolean
}

export interface Call {
  readonly life: Life
  readonly what: string
  ready(): boolean
  execute(parts?: number): void
  // Tells the caller what `execute` brought; executes before, if need be.
  answer(): void
  lose(error: Error): void
  readonly executed: boolean
  readonly effect: boolean
  // It takes long, while others are answered.
  slow: boolean
}

interface Timer {
  life: Life
  at: number
  fire: () => void
}

export class LostError extends Error {
  override readonly name = 'LostError'
}

export class Wire {
  now = START
  pending: Call[] = []
  // Requests whose callers have given up or died; they may still arrive.
  late: { what: string; arrive: () => void }[] = []
  #timers: Timer[] = []
  #seed: number

  constructor(seed: number) {
    this.#seed = seed >>> 0
  }

  // Mulberry32: a generator that one number decides.
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0
    let t = this.#seed
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  call<T>(life: Life, request: Request<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    if (!life.alive) return promise
    let outcome: { value: T } | { error: unknown } | undefined
    const done = () => (this.pending = this.pending.filter((c) => c !== call))
    const call: Call = {
      life,
      what: `${life.name}.${request.what}`,
      effect: request.effect ?? true,
      slow: false,
      get executed() {
        return outcome !== undefined
      },
      // The other side has answered, or would.
      ready: () => outcome !== undefined || (request.ready?.() ?? true),
      execute(parts = Infinity) {
        if (outcome) return
        try {
          const value = request.execute(parts)
          if (value !== AGAIN) outcome = { value }
        } catch (error) {
          outcome = { error }
        }
      },
      answer() {
        call.execute()
        if (!outcome) return
        done()
        if ('value' in outcome) resolve(outcome.value)
        else reject(outcome.error)
      },
      lose(error) {
        done()
        if (request.lost) resolve(request.lost())
        else reject(error)
      },
    }
    this.pending.push(call)
    return promise
  }

  // The caller is told that it failed, and it happens all the same, later.
  postpone(call: Call): void {
    call.lose(new LostError(`${call.what}: no answer`))
    this.#keepLate(call)
  }

  arrive(index: number): string {
    const [late] = this.late.splice(index, 1)
    late?.arrive()
    return late?.what ?? ''
  }

  kill(life: Life): void {
    life.alive = false
    const its = this.pending.filter((call) => call.life === life)
    this.pending = this.pending.filter((call) => call.life !== life)
    this.#timers = this.#timers.filter((timer) => timer.life !== life)
    for (const call of its) this.#keepLate(call)
  }

  sleep(life: Life, ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (!life.alive) return promise
    if (signal.aborted) return Promise.resolve()
    const timer: Timer = { life, at: Math.ceil(this.now + ms), fire: resolve }
    this.#timers.push(timer)
    signal.addEventListener('abort', () => {
      this.#timers = this.#timers.filter((t) => t !== timer)
      if (life.alive) resolve()
    })
    return promise
  }

  get nextTimer(): number | undefined {
    const running = this.#timers.filter(({ life }) => !life.stopped)
    return running.length === 0 ? undefined : Math.min(...running.map(({ at }) => at))
  }

  // Timers that would have fired on the way fire at the end, as after a suspended machine.
  moveTo(at: number): void {
    this.now = Math.max(this.now, at)
    const due = this.#timers.filter((timer) => timer.at <= this.now && !timer.life.stopped)
    this.#timers = this.#timers.filter((timer) => !due.includes(timer))
    for (const { fire } of due.sort((a, b) => a.at - b.at)) fire()
  }

  #keepLate(call: Call): void {
    if (call.effect && !call.executed) {
      this.late.push({ what: call.what, arrive: () => call.execute() })
    }
  }
}
