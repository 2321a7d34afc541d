// A steady load of POSTs, whatever happens to the relays meanwhile, and what clients were told. Some POSTs are large, some have a report
// that its topic refuses, some are repeated under their idempotency key, at once or later. It goes on after every failure: a POST without
// an answer is neither accepted nor refused.
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { EnvelopeId, FailureReason, ReportOutcome } from '#contract'
import type { DevJson } from '../../dev/dev-json.ts'
import { acceptedOf, receiptPlace, type Accepted, type Observation } from '../history/history.ts'
import type { ReceiptBody, ReportInput } from '../support/api.ts'
import type { Random } from './random.ts'

export interface LoadDatahub {
  datahubId: string
  topic: string
  // Its topic refuses reports without a key.
  needsKey: boolean
}

export interface LoadOptions {
  dev: DevJson
  datahubs: readonly LoadDatahub[]
  random: Random
  // Each has one POST, or a few, under way.
  posters?: number
}

// What was accepted and told since the last time it was asked.
export interface Told {
  accepted: Accepted[]
  observations: Observation[]
}

const DEFAULT_POSTERS = 4
const MAX_PAUSE_MS = 100
const HOLD_SECONDS = 1
const CALL_DEADLINE_MS = 20_000
const ASK_AGAIN_MS = 50
const QUERY_RECEIPTS = 100
const REMEMBERED_POSTS = 50
// Above the size from which an envelope's records go into an object.
const LARGE_REPORTS = 10
const LARGE_BYTES = 12_000

interface Post {
  datahub: LoadDatahub
  reports: ReportInput[]
  key: string | undefined
}

export class Load {
  readonly #dev: DevJson
  readonly #datahubs: readonly LoadDatahub[]
  readonly #random: Random
  readonly #stop = new AbortController()
  readonly #name = randomBytes(4).toString('hex')
  // Receipts without an outcome.
  readonly #open = new Set<string>()
  // Of all POSTs that were answered with a receipt.
  readonly acceptedIds = new Set<EnvelopeId>()
  #told: Told = { accepted: [], observations: [] }
  #posted: Post[] = []
  #posts = 0
  #unanswered = 0
  #paused: PromiseWithResolvers<void> | undefined
  // POSTs under way.
  readonly #underWay = new Set<Promise<void>>()
  readonly #posters: Promise<void>[]

  constructor({ dev, datahubs, random, posters = DEFAULT_POSTERS }: LoadOptions) {
    this.#dev = dev
    this.#datahubs = datahubs
    this.#random = random
    this.#posters = Array.from({ length: posters }, () => this.#run())
  }

  // POSTs of which nobody knows whether they were accepted.
  get unanswered(): number {
    return this.#unanswered
  }

  // Resolves when no POST is under way.
  async pause(): Promise<void> {
    this.#paused ??= Promise.withResolvers<void>()
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  resume(): void {
    this.#paused?.resolve()
    this.#paused = undefined
  }

  // When each receipt given out so far has its outcome, or after so long: those that have none. They are not waited for again.
  async settle(ms: number): Promise<string[]> {
    const wanted = new Set(this.#open)
    const deadline = Date.now() + ms
    while (wanted.size > 0 && Date.now() < deadline) {
      await this.#ask([...wanted])
      for (const receipt of wanted) if (!this.#open.has(receipt)) wanted.delete(receipt)
      if (wanted.size > 0) await pause(ASK_AGAIN_MS)
    }
    for (const receipt of wanted) this.#open.delete(receipt)
    return [...wanted]
  }

  take(): Told {
    const told = this.#told
    this.#told = { accepted: [], observations: [] }
    return told
  }

  async end(): Promise<void> {
    this.#stop.abort()
    this.resume()
    await Promise.all(this.#posters)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      if (this.#paused) {
        await this.#paused.promise
        continue
      }
      const posts = this.#next()
      const all = Promise.all(posts.map((post) => this.#post(post))).then(() => undefined)
      this.#underWay.add(all)
      await all
      this.#underWay.delete(all)
      await pause(this.#random.below(MAX_PAUSE_MS), undefined, { signal }).catch(() => undefined)
    }
  }

  // Sent at once: mostly one, sometimes several, sometimes one that was sent before.
  #next(): Post[] {
    const random = this.#random
    const draw = random.below(100)
    const before = this.#posted
    if (draw < 10 && before.length > 0) return [random.pick(before)]
    const post = this.#make()
    if (post.key !== undefined) {
      before.push(post)
      if (before.length > REMEMBERED_POSTS) before.shift()
      return draw < 50 ? [post, post] : [post]
    }
    if (draw < 20) return [post, ...Array.from({ length: 1 + random.below(8) }, () => this.#make())]
    return [post]
  }

  #make(): Post {
    const random = this.#random
    const n = ++this.#posts
    const datahub = random.pick(this.#datahubs)
    const draw = random.below(100)
    const isLarge = draw < 4 && !datahub.needsKey
    const count = isLarge ? LARGE_REPORTS : 1 + random.below(draw < 90 ? 8 : 100)
    const filling = isLarge ? 'x'.repeat(LARGE_BYTES) : ''
    const keyless = datahub.needsKey && draw < 8 ? random.below(count) : undefined
    const reports = Array.from({ length: count }, (_, i): ReportInput => {
      const value = `${this.#name} ${n}.${i} ${filling}`
      const hasKey = datahub.needsKey ? i !== keyless : random.below(2) > 0
      return hasKey ? { value, key: `k${random.below(20)}` } : { value }
    })
    const key = random.below(4) === 0 ? `${this.#name}-${n}` : undefined
    return { datahub, reports, key }
  }

  async #post({ datahub, reports, key }: Post): Promise<void> {
    const { api, secretId, secretKey } = this.#dev
    const basic = Buffer.from(`${secretId}:${secretKey}`).toString('base64')
    try {
      const response = await fetch(`${api}/v1/datahubs/${datahub.datahubId}/reports`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${basic}`,
          'content-type': 'application/json',
          prefer: `wait=${HOLD_SECONDS}`,
          ...(key === undefined ? {} : { 'idempotency-key': `"${key}"` }),
        },
        body: JSON.stringify({ reports }),
        signal: AbortSignal.timeout(CALL_DEADLINE_MS),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${response.status}: ${text}`)
      const body = JSON.parse(text) as ReceiptBody
      const accepted = acceptedOf(body.receipt, datahub.topic, reports)
      this.#told.accepted.push(accepted)
      this.acceptedIds.add(accepted.id)
      this.#tell(body)
    } catch {
      this.#unanswered++
    }
  }

  async #ask(receipts: readonly string[]): Promise<void> {
    for (let i = 0; i < receipts.length; i += QUERY_RECEIPTS) {
      try {
        const response = await fetch(`${this.#dev.api}/v1/receipts/query`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ receipts: receipts.slice(i, i + QUERY_RECEIPTS) }),
          signal: AbortSignal.timeout(CALL_DEADLINE_MS),
        })
        if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
        const { receipts: bodies } = (await response.json()) as { receipts: ReceiptBody[] }
        for (const body of bodies) this.#tell(body)
      } catch {
        // The worker is away; whoever waits asks again, or gives up.
        return
      }
    }
  }

  #tell(body: ReceiptBody): void {
    const { receipt, messages } = body
    if (!messages) {
      this.#open.add(receipt)
      return
    }
    this.#open.delete(receipt)
    const { id, index } = receiptPlace(receipt)
    this.#told.observations.push({ id, index, receipt, reports: messages.map(outcomeOf) })
  }
}

type Message = NonNullable<ReceiptBody['messages']>[number]

function outcomeOf({ status, partition = -1, offset = '', reason = '' }: Message): ReportOutcome {
  return status === 'delivered'
    ? { status, partition, offset }
    : { status: 'failed', reason: reason as FailureReason }
}
