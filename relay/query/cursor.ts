/**
 * Where a list stands in one partition: what was fetched and not listed yet, batch by batch. A batch is unpacked only when the one before
 * it is used up, so that no more is held than one fetch and one batch. It can be let go of; what it stands at is kept, and fetched again.
 */
import type { FetchedPart } from '../kafka/fetch.ts'
import { readBatches, readRecords, type BatchRecord } from '../kafka/read-batch.ts'
import { judgeBatches, type JudgedBatch } from './visible.ts'

export class Cursor {
  readonly partition: number
  /** Records of this partition in the list. */
  listed = 0
  /** Fetches that brought something, of which each may be larger than the one before. */
  fetches = 0
  /** Fetches since then that brought nothing, though there is something. */
  starved = 0
  /** Earlier records are passed over. */
  readonly #from: number
  /** The first offset that is neither listed nor passed over. */
  #position: bigint
  /** Where the next fetch begins. */
  #fetched: bigint
  /** The first offset that was not decided; undefined: not known yet. */
  #end: bigint | undefined
  #batches: JudgedBatch[] = []
  #records: BatchRecord[] = []
  #next = 0
  #fetchedBytes = 0
  #unpackedBytes = 0
  /** Of the record that it stands at, when that was let go of. */
  #letGo: number | undefined

  constructor(partition: number, position: bigint, from: number) {
    this.partition = partition
    this.#position = position
    this.#fetched = position
    this.#from = from
  }

  /** Where to go on after this list. */
  get position(): bigint {
    return this.#position
  }

  get fetchFrom(): bigint {
    return this.#fetched
  }

  get head(): BatchRecord | undefined {
    return this.#records[this.#next]
  }

  /** Of its next record, also of one that has to be fetched again; undefined: it has none yet. */
  get timestamp(): number | undefined {
    return this.head?.timestamp ?? this.#letGo
  }

  get heldBytes(): number {
    return this.#fetchedBytes + this.#unpackedBytes
  }

  /** Everything that is decided was listed, or passed over. */
  get isAtEnd(): boolean {
    return (
      this.timestamp === undefined &&
      this.#batches.length === 0 &&
      this.#end !== undefined &&
      this.#fetched >= this.#end
    )
  }

  /** Nothing is listed before this offset, nor is anything there. */
  skipTo(offset: bigint): void {
    this.#position = offset
    this.#fetched = offset
  }

  /** How far it is decided, as somebody knew it who had to be sure. */
  endsAt(offset: bigint): void {
    this.#end = offset
  }

  /** The end is where it stands, or before. */
  endHere(): void {
    this.#end = this.#fetched
  }

  /** False: it brought nothing, though there is something. */
  async take(part: FetchedPart): Promise<boolean> {
    this.#letGo = undefined
    this.#end = part.lastStable
    // A copy, so that the answer of all partitions is not held because of one.
    const batches = readBatches(Buffer.from(part.batches))
    const last = batches.at(-1)
    if (last && last.last >= this.#fetched) {
      this.#batches = judgeBatches(batches, part.aborted)
      this.#fetched = last.last + 1n
      this.#fetchedBytes = part.batches.length
      this.fetches++
      this.starved = 0
      await this.#unpack()
      return true
    }
    this.starved++
    return this.#fetched >= this.#end
  }

  /** The head is listed. */
  async advance(): Promise<void> {
    const { head } = this
    if (!head) return
    this.#position = head.offset + 1n
    this.#next++
    await this.#unpack()
  }

  letGo(): void {
    const timestamp = this.timestamp
    if (timestamp === undefined) return
    this.#fetched = this.#position
    this.#batches = []
    this.#forgetRecords()
    this.#fetchedBytes = 0
    this.#letGo = timestamp
  }

  async #unpack(): Promise<void> {
    while (!this.head) {
      this.#forgetRecords()
      const judged = this.#batches[0]
      if (!judged) {
        this.#fetchedBytes = 0
        return
      }
      const { batch, is } = judged
      const records = is === 'data' ? await readRecords(batch) : []
      this.#batches.shift()
      this.#records = records.filter(
        ({ offset, timestamp }) => offset >= this.#position && timestamp >= this.#from,
      )
      // The rest of what is unpacked is in what was fetched.
      this.#unpackedBytes = batch.compression === 0 ? 0 : sizeOf(records)
      this.#position = batch.last + 1n
    }
    this.#position = this.head.offset
  }

  #forgetRecords(): void {
    this.#records = []
    this.#next = 0
    this.#unpackedBytes = 0
  }
}

function sizeOf(records: readonly BatchRecord[]): number {
  return records.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0)
}
