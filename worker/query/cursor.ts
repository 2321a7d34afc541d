/**
 * Where a list of messages goes on, as opaque text: base64url of `[1, topic, [[partition, offset], …]]`. Bound to its topic; not signed,
 * because it permits nothing: what is seen is decided anew each time.
 */
import * as z from 'zod/mini'
import { PartitionOffset, type TopicName } from '#contract'

const { partition, offset } = PartitionOffset.shape
const Cursor = z.tuple([
  z.literal(1),
  z.string(),
  z.array(z.tuple([partition, offset])).check(z.minLength(1)),
])

export function formatCursor(topic: TopicName, next: readonly PartitionOffset[]): string {
  const json = JSON.stringify([1, topic, next.map((n) => [n.partition, n.offset])])
  // All of it is ASCII.
  return btoa(json).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** undefined: not a cursor, or of another topic or partition. */
export function parseCursor(
  text: string,
  topic: string,
  only: number | undefined,
): PartitionOffset[] | undefined {
  let json: unknown
  try {
    json = JSON.parse(atob(text.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return undefined
  }
  const cursor = Cursor.safeParse(json)
  if (!cursor.success || cursor.data[1] !== topic) return undefined
  const next = cursor.data[2].map(([partition, offset]) => ({ partition, offset }))
  return only === undefined || (next.length === 1 && next[0]?.partition === only) ? next : undefined
}
