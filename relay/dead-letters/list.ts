/**
 * `list`: the newest letters that match, newest last. The whole topic is read once, and of each letter only what the line shows is kept;
 * with everything to be shown, the chosen letters are read again, a window of them at a time.
 */
import type { Output } from '../operator/output.ts'
import { formatRows } from '../operator/text.ts'
import { comparePositions, matches, sizeOf, toJson, type Filters, type Position } from './letter.ts'
import { listRow, LIST_TITLES, type ListRow } from './text.ts'
import type { LetterTopic } from './topic.ts'

interface Entry {
  position: Position
  failed: number
  bytes: number
  row: ListRow | undefined
}

export async function list(
  topic: LetterTopic,
  { filters, limit, json }: { filters: Filters; limit: number; json: boolean },
  { print, note }: Output,
): Promise<void> {
  let newest: Entry[] = []
  let matching = 0
  const cut = () => {
    newest.sort((a, b) => a.failed - b.failed || comparePositions(a.position, b.position))
    newest = newest.slice(-limit)
  }
  await topic.scan(filters.since, (letter) => {
    if (!matches(letter, filters)) return
    matching++
    const { position, failed } = letter
    newest.push({
      position,
      failed,
      bytes: sizeOf(letter),
      row: json ? undefined : listRow(letter),
    })
    if (newest.length >= 2 * limit) cut()
  })
  cut()

  if (json) {
    for await (const found of topic.read(
      newest.map(({ position, bytes }) => ({ ...position, bytes })),
    )) {
      if ('letter' in found) await print(JSON.stringify(toJson(found.letter)))
    }
  } else if (newest.length > 0) {
    const rows = newest.flatMap(({ row }) => (row ? [row] : []))
    for (const line of formatRows([LIST_TITLES, ...rows])) await print(line)
  }
  if (matching === 0) note('No letter matches.')
  if (matching > limit) {
    note(`Older letters that match too: ${matching - limit}. --limit or --until shows them.`)
  }
}
