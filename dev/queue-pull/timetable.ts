/**
 * A binary heap that knows where each entry sits: the earliest first, and any entry can leave in O(log n). Without that, the entries of
 * acked leases would pile up until their time comes. Pure.
 */

export interface Timed {
  at: number
  /** Position in the heap, -1 outside; the heap's own. */
  slot: number
}

export class Timetable<T extends Timed> {
  readonly #heap: T[] = []

  earliest(): T | undefined {
    return this.#heap[0]
  }

  add(entry: T): void {
    entry.slot = this.#heap.push(entry) - 1
    this.#rise(entry)
  }

  remove(entry: T): void {
    const { slot } = entry
    if (slot === -1) return
    entry.slot = -1
    const last = this.#heap.pop()
    if (!last || last === entry) return
    this.#put(last, slot)
    this.#rise(last)
    this.#sink(last)
  }

  values(): readonly T[] {
    return this.#heap
  }

  #rise(entry: T): void {
    while (entry.slot > 0) {
      const parent = this.#heap[(entry.slot - 1) >> 1]
      if (!parent || parent.at <= entry.at) return
      this.#swap(parent, entry)
    }
  }

  #sink(entry: T): void {
    for (;;) {
      const left = this.#heap[2 * entry.slot + 1]
      const right = this.#heap[2 * entry.slot + 2]
      const child = right && left && right.at < left.at ? right : left
      if (!child || child.at >= entry.at) return
      this.#swap(entry, child)
    }
  }

  #swap(parent: T, child: T): void {
    const { slot } = parent
    this.#put(parent, child.slot)
    this.#put(child, slot)
  }

  #put(entry: T, slot: number): void {
    this.#heap[slot] = entry
    entry.slot = slot
  }
}
