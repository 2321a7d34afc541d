/**
 * How many letters are in memory at once, and what is read for them. Pure. Positions come in an order that is somebody else's; a window
 * is as many of them as fit, and its ranges are what has to be read of the topic to have them all.
 */
import type { Range } from '../operator/topic.ts'
import { comparePositions, type Position } from './letter.ts'

/** A position and the size of its letter, where it is known. */
export interface Sized extends Position {
  bytes?: number
}

const WINDOW_BYTES = 16_777_216
const WINDOW_LETTERS = 500
/** What a letter is taken for whose size is not known: the most that a report may have. */
const UNKNOWN_BYTES = 1_048_576
/** Reading over fewer letters than this is quicker than another request. */
const MAX_GAP = 200n

export function* windowsOf(positions: Iterable<Sized>): Generator<Position[]> {
  let window: Position[] = []
  let bytes = 0
  for (const { bytes: size = UNKNOWN_BYTES, ...position } of positions) {
    if (window.length >= WINDOW_LETTERS || (window.length > 0 && bytes + size > WINDOW_BYTES)) {
      yield window
      window = []
      bytes = 0
    }
    window.push(position)
    bytes += size
  }
  if (window.length > 0) yield window
}

export function rangesOf(positions: readonly Position[]): Range[] {
  const ranges: Range[] = []
  for (const { partition, offset } of positions.toSorted(comparePositions)) {
    const last = ranges.at(-1)
    if (last?.partition === partition && offset - last.through <= MAX_GAP) last.through = offset
    else ranges.push({ partition, from: offset, through: offset })
  }
  return ranges
}
