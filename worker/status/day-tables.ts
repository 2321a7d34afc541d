/**
 * Which tables a status shard has. A row goes into the table of the UTC day it is written; a table is dropped whole once its last
 * possible row is 10 days old, which costs nothing, where deleting rows one by one would cost as much as writing them. Pure: days and
 * times in, names and decisions out. Table names are made and read here only.
 */
import { STATUS_ROW_MS } from '#contract'

/** Days since 1970-01-01 UTC. */
export type Day = number

const DAY_MS = 86_400_000
const PREFIX = 'outcomes_'

/** `now` is Unix ms. */
export function dayOf(now: number): Day {
  return Math.floor(now / DAY_MS)
}

/** `outcomes_20261125` */
export function tableOf(day: Day): string {
  return PREFIX + new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
}

/** The day of a table, or undefined when it is no table of outcomes. */
export function dayOfTable(name: string): Day | undefined {
  const m = /^outcomes_(\d{4})(\d{2})(\d{2})$/.exec(name)
  return m ? Date.UTC(Number(m[1]), Number(m[2]) - 1, Number(m[3])) / DAY_MS : undefined
}

/** From when on the table of this day may go: its last possible row was written just before the next day. */
export function dropTime(day: Day): number {
  return (day + 1) * DAY_MS + STATUS_ROW_MS
}

export interface Rotation {
  drop: Day[]
  keep: Day[]
  /** When the next table will be due, Unix ms; undefined when none is left. */
  next: number | undefined
}

/** Which tables go and which stay at this moment, and when the next one will have to go. */
export function rotate(days: readonly Day[], now: number): Rotation {
  const drop = days.filter((day) => dropTime(day) <= now)
  const keep = days.filter((day) => dropTime(day) > now)
  return { drop, keep, next: keep.length > 0 ? dropTime(Math.min(...keep)) : undefined }
}
