/** The name of the relays' consumer group. Apart from group.ts because whoever reads the committed offsets needs no more than this. */
import type { InstanceId } from '#contract'

/**
 * The group that shares an instance's shards out among its relays, and holds `low` as the offset of each ledger partition. On a cluster
 * with ACLs the relay needs Read on this group, and Read on the ledger topic.
 */
export function relayGroup(instance: InstanceId): string {
  return `edgehub-${instance}-relays`
}
