/**
 * The store in a SQLite Durable Object. A pull or an ack of any size is a handful of statements; acked rows stay, they are the log.
 * Bodies have a table of their own, so that a change of state does not write them again. The output gate holds an answer back until its
 * writes are on disk, and the writes of one turn are one commit.
 */
import { conditionOf, type MessageHead } from './lease-core.ts'
import type { Counts, MessageStore, StoredMessage } from './message-store.ts'
import type { Side } from './queues.ts'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    content_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    given_at INTEGER NOT NULL,
    side TEXT NOT NULL,
    fate TEXT NOT NULL DEFAULT 'live',
    timestamp INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    moves INTEGER NOT NULL DEFAULT 0,
    visible_at INTEGER NOT NULL,
    leased INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS bodies (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS settings (one INTEGER PRIMARY KEY CHECK (one = 1), json TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS by_visibility ON messages (side, visible_at, seq) WHERE fate = 'live';
  CREATE INDEX IF NOT EXISTS by_age ON messages (side, timestamp) WHERE fate = 'live';
  CREATE INDEX IF NOT EXISTS by_attempts ON messages (side, attempts) WHERE fate = 'live';`

const HEAD = `seq, id, content_type AS contentType, bytes, given_at AS givenAt, side, fate, timestamp, attempts, moves,
  visible_at AS visibleAt, leased`
const SEQS = `seq IN (SELECT value FROM json_each(?))`

type SqlRow = Record<string, string | number | null>

/** The part of a Durable Object's SqlStorage that is needed, so that a test can stand any SQLite below. */
export interface Sql {
  exec<T extends SqlRow>(
    query: string,
    ...bindings: (string | number)[]
  ): { toArray(): T[]; one(): T }
}

type HeadRow = SqlRow & Omit<StoredMessage, 'leased' | 'body'> & { leased: number }
type Row = HeadRow & { body: string }

export function createSqliteStore(sql: Sql): MessageStore {
  sql.exec(SCHEMA)
  // Kept here, because counting the live rows on each pull would read all of them.
  const live = { queue: { count: 0, bytes: 0 }, deadLetter: { count: 0, bytes: 0 } }
  const sums = sql.exec<{ side: Side; count: number; bytes: number }>(
    `SELECT side, count(*) AS count, sum(bytes) AS bytes FROM messages WHERE fate = 'live' GROUP BY side`,
  )
  for (const { side, count, bytes } of sums.toArray()) live[side] = { count, bytes }

  function adjust(side: Side, messages: readonly { bytes: number }[], sign: 1 | -1): void {
    live[side].count += sign * messages.length
    for (const { bytes } of messages) live[side].bytes += sign * bytes
  }

  return {
    add(side, messages, now) {
      for (const { id, contentType, bytes, body, timestamp, visibleAt } of messages) {
        const { seq } = sql
          .exec<{ seq: number }>(
            `INSERT INTO messages (id, content_type, bytes, given_at, side, timestamp, visible_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
            id,
            contentType,
            bytes,
            now,
            side,
            timestamp,
            visibleAt,
          )
          .one()
        sql.exec(`INSERT INTO bodies (seq, body) VALUES (?, ?)`, seq, body)
      }
      adjust(side, messages, 1)
    },

    due(side, now, limit) {
      return sql
        .exec<Row>(
          `SELECT ${HEAD}, (SELECT body FROM bodies WHERE bodies.seq = messages.seq) AS body
           FROM messages INDEXED BY by_visibility
           WHERE fate = 'live' AND side = ? AND visible_at <= ? ORDER BY visible_at, seq LIMIT ?`,
          side,
          now,
          limit,
        )
        .toArray()
        .map(storedMessage)
    },

    overdue(side, now, { maxRetries, retentionMs }) {
      return sql
        .exec<HeadRow>(
          `SELECT ${HEAD} FROM messages INDEXED BY by_age
           WHERE fate = 'live' AND side = ?1 AND timestamp <= ?2
           UNION
           SELECT ${HEAD} FROM messages INDEXED BY by_attempts
           WHERE fate = 'live' AND side = ?1 AND attempts >= ?3 AND visible_at <= ?4`,
          side,
          now - retentionMs,
          maxRetries,
          now,
        )
        .toArray()
        .map(messageHead)
    },

    find(seqs) {
      if (seqs.length === 0) return new Map()
      const rows = sql.exec<HeadRow>(
        `SELECT ${HEAD} FROM messages WHERE ${SEQS}`,
        JSON.stringify(seqs),
      )
      return new Map(rows.toArray().map((row) => [row.seq, messageHead(row)]))
    },

    lease(messages, visibleAt) {
      if (messages.length === 0) return
      sql.exec(
        `UPDATE messages SET attempts = attempts + 1, leased = 1, visible_at = ? WHERE ${SEQS}`,
        visibleAt,
        seqList(messages),
      )
    },

    release(entries) {
      if (entries.length === 0) return
      sql.exec(
        `UPDATE messages SET leased = 0, visible_at = entry.value ->> 1
         FROM json_each(?) AS entry WHERE messages.seq = entry.value ->> 0`,
        JSON.stringify(entries.map(({ message, visibleAt }) => [message.seq, visibleAt])),
      )
    },

    finish(messages, fate) {
      if (messages.length === 0) return
      sql.exec(`UPDATE messages SET fate = ? WHERE ${SEQS}`, fate, seqList(messages))
      for (const message of messages) adjust(message.side, [message], -1)
    },

    move(messages, side, now) {
      if (messages.length === 0) return
      sql.exec(
        `UPDATE messages SET side = ?1, timestamp = ?2, visible_at = ?2, attempts = 0, leased = 0, moves = moves + 1
         WHERE seq IN (SELECT value FROM json_each(?3))`,
        side,
        now,
        seqList(messages),
      )
      for (const message of messages) adjust(message.side, [message], -1)
      adjust(side, messages, 1)
    },

    live(side) {
      return sql
        .exec<HeadRow>(`SELECT ${HEAD} FROM messages WHERE fate = 'live' AND side = ?`, side)
        .toArray()
        .map(messageHead)
    },

    expireLeases(side, now) {
      const expired = sql.exec(
        `UPDATE messages SET visible_at = ?1
         WHERE fate = 'live' AND side = ?2 AND leased = 1 AND visible_at > ?1 RETURNING seq`,
        now,
        side,
      )
      return expired.toArray().length
    },

    backlog(side) {
      const { oldest } = sql
        .exec<{ oldest: number | null }>(
          `SELECT min(timestamp) AS oldest FROM messages INDEXED BY by_age WHERE fate = 'live' AND side = ?`,
          side,
        )
        .one()
      return { ...live[side], oldestTimestamp: oldest ?? 0 }
    },

    counts(side, now) {
      const counts: Counts = { ready: 0, leased: 0, delayed: 0, acked: 0, dropped: 0 }
      const groups = sql.exec<HeadRow & { count: number }>(
        `SELECT ${HEAD}, count(*) AS count FROM messages WHERE side = ? GROUP BY fate, visible_at > ?, leased`,
        side,
        now,
      )
      for (const group of groups.toArray()) {
        counts[conditionOf(messageHead(group), now)] += group.count
      }
      return counts
    },

    log(afterSeq, limit) {
      return sql
        .exec<Row>(
          `SELECT ${HEAD}, (SELECT body FROM bodies WHERE bodies.seq = messages.seq) AS body
           FROM messages WHERE seq > ? ORDER BY seq LIMIT ?`,
          afterSeq,
          limit,
        )
        .toArray()
        .map(storedMessage)
    },

    loadSettings: () => sql.exec<{ json: string }>(`SELECT json FROM settings`).toArray()[0]?.json,

    saveSettings(json) {
      sql.exec(`INSERT OR REPLACE INTO settings (one, json) VALUES (1, ?)`, json)
    },
  }
}

const seqList = (messages: readonly MessageHead[]): string =>
  JSON.stringify(messages.map((message) => message.seq))

const messageHead = (row: HeadRow): MessageHead => ({ ...row, leased: row.leased === 1 })

const storedMessage = (row: Row): StoredMessage => ({ ...row, leased: row.leased === 1 })
