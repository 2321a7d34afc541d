/** Why there is no record at an offset, from what a broker says of the partition. Pure. */
import type { AbsentReason } from '#contract'
import type { JudgedBatch } from './visible.ts'

export interface Bounds {
  logStart: bigint
  lastStable: bigint
  highWatermark: bigint
}

/** Undefined: the offset is in what can be read. */
export function outside(
  offset: bigint,
  { logStart, lastStable, highWatermark }: Bounds,
): Extract<AbsentReason, 'expired' | 'beyond_end' | 'undecided'> | undefined {
  if (offset < logStart) return 'expired'
  if (offset >= highWatermark) return 'beyond_end'
  return offset >= lastStable ? 'undecided' : undefined
}

/** The batch in which the record is, if it is anywhere; or why it is not. The batches are those that a fetch at the offset brought. */
export function locate(
  offset: bigint,
  batches: readonly JudgedBatch[],
): JudgedBatch['batch'] | Extract<AbsentReason, 'control' | 'aborted' | 'compacted'> {
  // The first one that goes that far. It begins behind the offset, or is not there at all, when the offset's own batch was compacted away.
  const found = batches.find(({ batch }) => batch.last >= offset)
  if (!found || found.batch.first > offset) return 'compacted'
  return found.is === 'data' ? found.batch : found.is
}
