/** Where a list of messages goes on: `[1, topic, [[partition, offset], …]]`, bound to its topic. */
import * as z from 'zod/mini'
import { PartitionOffset, type TopicName } from '#contract'
import { formatCursorText, parseCursorText } from '../cursor-text.ts'

const { partition, offset } = PartitionOffset.shape
const Cursor = z.tuple([
  z.literal(1),
  z.string(),
  z.array(z.tuple([partition, offset])).check(z.minLength(1)),
])

/** `next`: where each partition goes on that has more. */
export function formatCursor(topic: TopicName, next: readonly PartitionOffset[]): string {
  return formatCursorText([1, topic, next.map((n) => [n.partition, n.offset])])
}

/** undefined: not a cursor, or of another topic or partition. */
export function parseCursor(
  text: string,
  topic: string,
  only: number | undefined,
): PartitionOffset[] | undefined {
  const cursor = Cursor.safeParse(parseCursorText(text))
  if (!cursor.success || cursor.data[1] !== topic) return undefined
  const next = cursor.data[2].map(([partition, offset]) => ({ partition, offset }))
  return only === undefined || (next.length === 1 && next[0]?.partition === only) ? next : undefined
}
