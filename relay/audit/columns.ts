/** Columns of numbers that grow: what is kept of millions of envelopes without an object for each. */

interface Cells<N> {
  length: number
  [index: number]: N
}

/** A typed array that doubles when it is full. */
class Column<N extends number | bigint, A extends Cells<N> & { set(from: A): void }> {
  readonly #make: (length: number) => A
  readonly #none: N
  #cells: A
  length = 0

  constructor(make: (length: number) => A, none: N) {
    this.#make = make
    this.#none = none
    this.#cells = make(1_024)
  }

  push(value: N): number {
    if (this.length === this.#cells.length) {
      const larger = this.#make(this.#cells.length * 2)
      larger.set(this.#cells)
      this.#cells = larger
    }
    this.#cells[this.length] = value
    return this.length++
  }

  get(index: number): N {
    return index < this.length ? (this.#cells[index] ?? this.#none) : this.#none
  }

  set(index: number, value: N): void {
    this.#cells[index] = value
  }
}

export const uint8s = () => new Column<number, Uint8Array>((n) => new Uint8Array(n), 0)
export const uint16s = () => new Column<number, Uint16Array>((n) => new Uint16Array(n), 0)
export const uint32s = () => new Column<number, Uint32Array>((n) => new Uint32Array(n), 0)
export const floats = () => new Column<number, Float64Array>((n) => new Float64Array(n), 0)
export const int64s = () => new Column<bigint, BigInt64Array>((n) => new BigInt64Array(n), 0n)
