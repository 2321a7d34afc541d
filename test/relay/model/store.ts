// The worker as a relay sees it, in memory: the status store, whose rows live only so long, and the objects of large envelopes. The first
// outcome wins; an outcome may be taken late, in part, or without the relay hearing of it.
import { STATUS_ROW_MS, type EnvelopeId, type EnvelopeRecord, type Outcome } from '#contract'
import type { WorkerClient } from '../../../relay/status/worker-client.ts'
import { LostError, type Life, type Wire } from './calls.ts'

const ID_LENGTH = 16

interface Row {
  outcome: Outcome
  at: number
}

export class Store {
  readonly objects = new Map<string, EnvelopeRecord[]>()
  // Envelopes whose object was deleted and not put again.
  readonly deleted = new Set<EnvelopeId>()
  // When the first row of each envelope was written.
  readonly firstRow = new Map<EnvelopeId, number>()
  onRow: (id: EnvelopeId, outcome: Outcome) => void = () => {}
  // An outcome came for an id that has a row.
  onAgain: (id: EnvelopeId, outcome: Outcome, row: Outcome) => void = () => {}
  readonly #wire: Wire
  readonly #rows = new Map<EnvelopeId, Row>()

  constructor(wire: Wire) {
    this.#wire = wire
  }

  putObject(id: EnvelopeId, object: string, records: EnvelopeRecord[]): void {
    this.objects.set(object, records)
    this.deleted.delete(id)
  }

  has(id: EnvelopeId): boolean {
    const row = this.#rows.get(id)
    return row !== undefined && this.#wire.now <= row.at + STATUS_ROW_MS
  }

  // A row was written and is gone; another one may have been written since.
  hadForgotten(id: EnvelopeId): boolean {
    const first = this.firstRow.get(id)
    return first !== undefined && this.#wire.now > first + STATUS_ROW_MS
  }

  // The last moments of the rows.
  get ends(): number[] {
    return [...this.#rows.values()].map(({ at }) => at + STATUS_ROW_MS)
  }

  client(life: Life): WorkerClient {
    const call = this.#wire.call.bind(this.#wire)
    return {
      postOutcomes: (outcomes) =>
        call<{ taken: Set<EnvelopeId>; failed: unknown }>(life, {
          what: `post ${outcomes.map(([id]) => id.slice(-2)).join(' ')}`,
          execute: (parts) => ({ taken: this.#put(outcomes, parts), failed: undefined }),
          lost: () => ({ taken: new Set(), failed: new LostError('post: no answer') }),
        }),
      lookUp: (ids) =>
        call(life, {
          what: `look up ${ids.map((id) => id.slice(-2)).join(' ')}`,
          effect: false,
          execute: () => {
            // A status shard may be silent.
            const answered = ids.filter(() => this.#wire.random() < 0.95)
            const found = new Set(answered.filter((id) => this.has(id)))
            return { found, absent: new Set(answered.filter((id) => !found.has(id))) }
          },
        }),
      fetchRecords: ({ object }) =>
        call(life, {
          what: 'fetch records',
          effect: false,
          execute: () => {
            const records = this.objects.get(object)
            return records ? { status: 'ok', records } : { status: 'lost', problem: 'gone' }
          },
        }),
      deleteRecords: (object) =>
        call<void>(life, {
          what: 'delete records',
          execute: () => {
            this.objects.delete(object)
            this.deleted.add(object.slice(0, ID_LENGTH) as EnvelopeId)
          },
        }),
    }
  }

  #put(outcomes: readonly [EnvelopeId, Outcome][], parts: number): Set<EnvelopeId> {
    const silent = outcomes.filter(() => this.#wire.random() < 0.05)
    const now = this.#wire.now
    const taken = outcomes.slice(0, parts).filter((o) => !silent.includes(o))
    for (const [id, outcome] of taken) {
      const row = this.#rows.get(id)
      if (row && this.has(id)) {
        this.onAgain(id, outcome, row.outcome)
        continue
      }
      this.onRow(id, outcome)
      this.#rows.set(id, { outcome, at: now })
      if (!this.firstRow.has(id)) this.firstRow.set(id, now)
    }
    return new Set(taken.map(([id]) => id))
  }
}
