/**
 * Tells relays to pull a shard's queue now, because somebody waits for what is in it: an idle relay would take up to a second. A hint, so
 * it may be left out. A relay that was woken pulls quickly for a while, so each isolate wakes a shard only so often.
 */
import type { RelayLinkClient } from './link.ts'

/** After a wake a relay pulls again within 20, 40, 80, … ms; by then the pace has fallen to some 100 ms. */
const QUIET_MS = 200

/** When each shard was woken last, Unix ms; it belongs to the isolate. */
export type Wakings = Map<number, number>

/** Undefined: that shard was woken just now. Never throws. */
export function wakeShard(
  shard: number,
  wakings: Wakings,
  { relayLink, now }: { relayLink: Pick<RelayLinkClient, 'wake'>; now: () => number },
): Promise<void> | undefined {
  const at = now()
  if (at - (wakings.get(shard) ?? 0) < QUIET_MS) return undefined
  wakings.set(shard, at)
  return relayLink.wake([shard])
}
