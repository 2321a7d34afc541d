/**
 * The questions that are open at relays, in memory: which relay is asked, and that every question ends exactly once and in time, whatever
 * the relays do. Knows no socket and no clock of its own. A question is asked at most twice, at two relays.
 */
import { MAX_LINK_QUERIES, type LinkAnswer, type LinkQuery, type WorkerFrame } from '#contract'

export type Asked =
  | { status: 'answered'; answer: LinkAnswer }
  /** Nobody is connected, or who was asked went away. */
  | { status: 'no_relay' }
  | { status: 'busy' }
  | { status: 'timed_out' }

export interface QuestionsDeps<Link> {
  /** Those that may be asked now. */
  links: () => readonly Link[]
  /** false: this link takes nothing any more. */
  send: (link: Link, frame: WorkerFrame) => boolean
  /** When its relay was last known to live, apart from frames. Unix ms. */
  seen: (link: Link) => number
  now: () => number
  /** A timer; the answer stops it. */
  after: (ms: number, run: () => void) => () => void
  /** Higher than any id of an earlier life of the object, or far from them: their answers may still come. */
  firstId: number
}

interface Question<Link> {
  id: number
  query: LinkQuery
  deadline: number
  /** The last one is asked now. */
  links: Link[]
  askedAt: number
  end: (asked: Asked) => void
}

interface LinkState<Link> {
  open: Set<Question<Link>>
  /** When its last frame came, Unix ms. */
  heard: number
  /** It left a question of this time unanswered; Unix ms. */
  doubted: number
  /** Which question was its last, by number. */
  turn: number
}

/** A relay shows life more often; where there is another one, this one is not asked. */
const SILENT_MS = 90_000

/** One relay may have just stopped; two in a row are no accident. */
const MAX_TRIES = 2

export class Questions<Link extends WeakKey> {
  readonly #deps: QuestionsDeps<Link>
  readonly #open = new Map<number, Question<Link>>()
  readonly #states = new WeakMap<Link, LinkState<Link>>()
  #nextId: number
  #turns = 0

  constructor(deps: QuestionsDeps<Link>) {
    this.#deps = deps
    this.#nextId = deps.firstId
  }

  get size(): number {
    return this.#open.size
  }

  ask(query: LinkQuery, withinMs: number): Promise<Asked> {
    return new Promise((resolve) => {
      const askedAt = this.#deps.now()
      const question: Question<Link> = {
        id: this.#nextId++,
        query,
        deadline: askedAt + withinMs,
        links: [],
        askedAt,
        end: (asked) => {
          stop()
          this.#leave(question)
          this.#open.delete(question.id)
          resolve(asked)
        },
      }
      const stop = this.#deps.after(withinMs, () => this.#timeOut(question))
      this.#open.set(question.id, question)
      this.#place(question, { status: 'no_relay' })
    })
  }

  /** A frame came, of whatever kind. */
  heard(link: Link): void {
    this.#stateOf(link).heard = this.#deps.now()
  }

  /** An id that is not open at this link is ignored: its answer is late. */
  answer(link: Link, id: number, answer: LinkAnswer): void {
    const question = this.#open.get(id)
    if (question?.links.at(-1) !== link) return
    if (answer.status !== 'failed' || answer.reason !== 'busy') {
      question.end({ status: 'answered', answer })
      return
    }
    this.#leave(question)
    this.#place(question, { status: 'busy' })
  }

  /** What was open there is asked elsewhere. May be called again. */
  gone(link: Link): void {
    const { open } = this.#stateOf(link)
    this.#states.delete(link)
    for (const question of open) this.#place(question, { status: 'no_relay' })
  }

  /** Asks the best relay that was not asked yet. Without one the question ends: `otherwise`, or `busy` when the others are full. */
  #place(question: Question<Link>, otherwise: Asked): void {
    const { links, now, send } = this.#deps
    const others = links().filter((link) => !question.links.includes(link))
    const free = others.filter((link) => this.#stateOf(link).open.size < MAX_LINK_QUERIES)
    const withinMs = question.deadline - now()
    if (withinMs < 1) return question.end({ status: 'timed_out' })
    if (question.links.length === MAX_TRIES) return question.end(otherwise)

    for (const link of this.#byPreference(free)) {
      const { id, query } = question
      if (!send(link, { type: 'query', id, withinMs, query })) continue
      question.links.push(link)
      question.askedAt = now()
      const state = this.#stateOf(link)
      state.open.add(question)
      state.turn = ++this.#turns
      return
    }
    question.end(others.length > free.length ? { status: 'busy' } : otherwise)
  }

  /** Those that seem to live first; then who has least to do; then whose last question is longest ago. */
  #byPreference(links: readonly Link[]): Link[] {
    const ranked = links.map((link) => {
      const state = this.#stateOf(link)
      return { link, ...state, doubtful: this.#isDoubtful(link, state) ? 1 : 0 }
    })
    return ranked
      .toSorted((a, b) => a.doubtful - b.doubtful || a.open.size - b.open.size || a.turn - b.turn)
      .map(({ link }) => link)
  }

  /** A socket whose other end is lost stays open for long. */
  #isDoubtful(link: Link, { heard, doubted }: LinkState<Link>): boolean {
    const alive = Math.max(heard, this.#deps.seen(link))
    return alive < doubted || this.#deps.now() - alive > SILENT_MS
  }

  #timeOut(question: Question<Link>): void {
    const link = question.links.at(-1)
    if (link !== undefined) {
      const state = this.#stateOf(link)
      state.doubted = Math.max(state.doubted, question.askedAt)
      this.#deps.send(link, { type: 'cancel', id: question.id })
    }
    question.end({ status: 'timed_out' })
  }

  #leave(question: Question<Link>): void {
    const link = question.links.at(-1)
    if (link !== undefined) this.#states.get(link)?.open.delete(question)
  }

  #stateOf(link: Link): LinkState<Link> {
    const state = this.#states.get(link) ?? { open: new Set(), heard: 0, doubted: 0, turn: 0 }
    this.#states.set(link, state)
    return state
  }
}
