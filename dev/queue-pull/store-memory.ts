/**
 * The store in memory, for unit tests and the benchmark: no operation of pull and ack looks at more messages than it is about, whatever
 * the backlog. Lost with the process. Without `keepLog` an acked message is forgotten at once, and a second ack of it is then a warning.
 */
import { conditionOf, type MessageHead } from './lease-core.ts'
import type { Counts, MessageStore, NewMessage, StoredMessage } from './message-store.ts'
import type { Side } from './queues.ts'
import { Timetable, type Timed } from './timetable.ts'

/** Wherever a message can be found twice, an entry counts only while the message points at it. */
interface Entry {
  readonly item: Item
}

interface Item extends StoredMessage, Timed {
  /** In the line of visible messages. */
  ready: Entry | undefined
  /** In the line by age. */
  stay: Entry | undefined
}

interface Lane {
  /** Visible, in the order of delivery. */
  ready: Line
  /** Invisible, by when that ends. */
  later: Timetable<Item>
  /** All, by when they came: `timestamp` only grows along it, unless a producer's clock steps back. */
  byAge: Line
  /** Visible again after a lease or a delay, and not yet looked at by `overdue`; or out of attempts. */
  returned: Set<Item>
  /** What `returned` was sorted by. */
  maxRetries: number | undefined
  count: number
  bytes: number
}

export function createMemoryStore({ keepLog = true } = {}): MessageStore {
  const items = new Map<number, Item>()
  const lanes: Record<Side, Lane> = { queue: newLane(), deadLetter: newLane() }
  let lastSeq = 0
  let settings: string | undefined

  /** Of heads that came from this store. Forgotten ones are left out. */
  function own(messages: readonly MessageHead[]): Item[] {
    return messages.flatMap(({ seq }) => items.get(seq) ?? [])
  }

  function enter(item: Item, now: number): void {
    const lane = lanes[item.side]
    item.stay = { item }
    lane.byAge.push(item.stay)
    lane.count++
    lane.bytes += item.bytes
    show(item, now)
  }

  function leave(item: Item): void {
    const lane = lanes[item.side]
    hide(item)
    item.stay = undefined
    lane.count--
    lane.bytes -= item.bytes
  }

  function show(item: Item, now: number): void {
    if (item.visibleAt > now) {
      item.at = item.visibleAt
      lanes[item.side].later.add(item)
    } else {
      item.ready = { item }
      lanes[item.side].ready.push(item.ready)
    }
  }

  function hide(item: Item): void {
    lanes[item.side].later.remove(item)
    lanes[item.side].returned.delete(item)
    item.ready = undefined
  }

  /** Moves into the line what has become visible. */
  function advance(lane: Lane, now: number): void {
    for (;;) {
      const item = lane.later.earliest()
      if (!item || item.visibleAt > now) return
      lane.later.remove(item)
      show(item, now)
      lane.returned.add(item)
    }
  }

  return {
    add(side, messages, now) {
      for (const message of messages) {
        const item = newItem(message, side, ++lastSeq, now)
        items.set(item.seq, item)
        enter(item, now)
      }
    },

    due(side, now, limit) {
      const lane = lanes[side]
      advance(lane, now)
      return lane.ready.first(limit, isReady)
    },

    overdue(side, now, { maxRetries, retentionMs }) {
      const lane = lanes[side]
      advance(lane, now)
      if (lane.maxRetries !== maxRetries) {
        lane.maxRetries = maxRetries
        for (const item of items.values()) {
          if (item.side === side && item.ready) lane.returned.add(item)
        }
      }
      const overdue = new Set<Item>()
      for (const item of lane.returned) if (item.attempts >= maxRetries) overdue.add(item)
      lane.returned.clear()
      for (const item of overdue) lane.returned.add(item)
      const old = lane.byAge.leading(isStaying, (item) => item.timestamp + retentionMs <= now)
      for (const item of old) overdue.add(item)
      return [...overdue]
    },

    find: (seqs) => new Map(seqs.flatMap((seq) => items.get(seq) ?? []).map((i) => [i.seq, i])),

    lease(messages, visibleAt) {
      for (const item of own(messages)) {
        hide(item)
        item.attempts++
        item.visibleAt = visibleAt
        item.leased = true
        // Even when that time has come already: the next look puts it back into the line.
        item.at = visibleAt
        lanes[item.side].later.add(item)
      }
    },

    release(entries) {
      for (const { message, visibleAt } of entries) {
        for (const item of own([message])) {
          hide(item)
          item.visibleAt = visibleAt
          item.leased = false
          item.at = visibleAt
          lanes[item.side].later.add(item)
        }
      }
    },

    finish(messages, fate) {
      for (const item of own(messages)) {
        leave(item)
        item.fate = fate
        if (!keepLog) items.delete(item.seq)
      }
    },

    move(messages, side, now) {
      for (const item of own(messages)) {
        leave(item)
        item.side = side
        item.timestamp = now
        item.attempts = 0
        item.moves++
        item.visibleAt = now
        item.leased = false
        enter(item, now)
      }
    },

    live: (side) => [...items.values()].filter((i) => i.fate === 'live' && i.side === side),

    expireLeases(side, now) {
      const lane = lanes[side]
      const leased = lane.later.values().filter((item) => item.leased && item.visibleAt > now)
      for (const item of leased) {
        lane.later.remove(item)
        item.visibleAt = now
        item.at = now
        lane.later.add(item)
      }
      return leased.length
    },

    backlog(side) {
      const { byAge, count, bytes } = lanes[side]
      const [oldest] = byAge.first(1, isStaying)
      return { count, bytes, oldestTimestamp: oldest?.timestamp ?? 0 }
    },

    counts(side, now) {
      const counts: Counts = { ready: 0, leased: 0, delayed: 0, acked: 0, dropped: 0 }
      for (const item of items.values()) if (item.side === side) counts[conditionOf(item, now)]++
      return counts
    },

    log(afterSeq, limit) {
      const page: StoredMessage[] = []
      for (let seq = afterSeq + 1; seq <= lastSeq && page.length < limit; seq++) {
        const item = items.get(seq)
        if (item) page.push(item)
      }
      return page
    },

    loadSettings: () => settings,
    saveSettings(json) {
      settings = json
    },
  }
}

const isReady = (entry: Entry): boolean => entry.item.ready === entry
const isStaying = (entry: Entry): boolean => entry.item.stay === entry

function newLane(): Lane {
  return {
    ready: new Line(),
    later: new Timetable(),
    byAge: new Line(),
    returned: new Set(),
    maxRetries: undefined,
    count: 0,
    bytes: 0,
  }
}

function newItem(message: NewMessage, side: Side, seq: number, now: number): Item {
  return {
    ...message,
    seq,
    side,
    fate: 'live',
    givenAt: now,
    attempts: 0,
    moves: 0,
    leased: false,
    at: message.visibleAt,
    slot: -1,
    ready: undefined,
    stay: undefined,
  }
}

/** First in, first out; entries that no longer count are skipped, and dropped once they are at the front. */
class Line {
  #entries: Entry[] = []
  #front = 0

  push(entry: Entry): void {
    this.#entries.push(entry)
  }

  first(limit: number, counts: (entry: Entry) => boolean): Item[] {
    this.#trim(counts)
    const found: Item[] = []
    for (let at = this.#front; at < this.#entries.length && found.length < limit; at++) {
      const entry = this.#entries[at]
      if (entry && counts(entry)) found.push(entry.item)
    }
    return found
  }

  /** As long as `wanted` holds. */
  leading(counts: (entry: Entry) => boolean, wanted: (item: Item) => boolean): Item[] {
    this.#trim(counts)
    const found: Item[] = []
    for (let at = this.#front; at < this.#entries.length; at++) {
      const entry = this.#entries[at]
      if (!entry || !counts(entry)) continue
      if (!wanted(entry.item)) break
      found.push(entry.item)
    }
    return found
  }

  #trim(counts: (entry: Entry) => boolean): void {
    for (;;) {
      const entry = this.#entries[this.#front]
      if (!entry || counts(entry)) break
      this.#front++
    }
    // Rarely enough that it costs nothing per message.
    if (this.#front > 4096 && this.#front * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#front)
      this.#front = 0
    }
  }
}
