/**
 * How long a client wants to wait: `Prefer: wait=n` (RFC 7240) on a POST, `?wait=n` on a GET. A preference is advice, so a bad one is
 * ignored and a long one shortened; a query parameter is a demand, so a bad one is an error.
 */
import { MAX_WAIT_SECONDS } from '#contract'
import { rejected, type Rejected } from './rejection.ts'

/** Seconds, 0 without the preference. Of several the first counts (RFC 7240 section 2). */
export function preferredWait(header: string | null): number {
  for (const preference of header?.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const m = /^\s*wait\s*(?:=\s*("?)(\d{1,9})\1)?\s*(?:;|$)/i.exec(preference)
    if (m) return Math.min(Number(m[2] ?? 0), MAX_WAIT_SECONDS)
  }
  return 0
}

/** `?wait`: 0 without it. */
export function requestedWait(
  query: string | undefined,
): { status: 'ok'; seconds: number } | Rejected {
  if (query === undefined) return { status: 'ok', seconds: 0 }
  const seconds = /^\d{1,9}$/.test(query) ? Number(query) : Number.NaN
  if (seconds <= MAX_WAIT_SECONDS) return { status: 'ok', seconds }
  const problem = `a whole number of seconds from 0 to ${MAX_WAIT_SECONDS} is expected.`
  return rejected({ reason: 'invalid_value', path: 'wait', problem })
}
