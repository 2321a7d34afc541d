/**
 * The `traceparent` header of W3C Trace Context: carried when valid, ignored when not, as the recommendation wants.
 * https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function validTraceparent(header: string | null): string | undefined {
  const m = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header ?? '')
  if (!m) return undefined
  const [, version, trace = '', parent = '', flags, rest] = m
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(trace) || /^0+$/.test(parent)) return undefined
  // A newer version is passed on as the one we know (section 4.3 of the recommendation).
  return `00-${trace}-${parent}-${flags}`
}
