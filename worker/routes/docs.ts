/** `GET /` in a browser leads to the description of the interface. Whoever signs, or names an action, is left to the Tencent API. */
import type { AppContext } from '../context.ts'

/** The answer for a person with a browser; undefined for everybody else. */
export function docsRedirect(c: AppContext): Response | undefined {
  const { req } = c
  if (req.method === 'POST') return undefined
  const isCall =
    req.header('Authorization') !== undefined ||
    req.header('X-TC-Action') !== undefined ||
    ['Action', 'Signature'].some((name) => req.query(name) !== undefined)
  if (isCall) return undefined
  const accept = req.header('Accept') ?? ''
  const json = weight(accept, 'application/json', 'application/*', '*/*')
  if (!(weight(accept, 'text/html') > json)) return undefined
  const headers = { Location: '/docs/', Vary: 'Accept', 'Cache-Control': 'no-store' }
  return new Response(null, { status: 302, headers })
}

/** Of the first of these ranges that is there, else 0 (RFC 9110 section 12.5.1). NaN when it is no number. */
function weight(accept: string, ...names: readonly string[]): number {
  const ranges = accept
    .split(',')
    .map((range) => range.split(';').map((s) => s.trim().toLowerCase()))
  const range = names.map((name) => ranges.find(([type]) => type === name)).find((r) => r)
  return range ? Number(range.find((p) => p.startsWith('q='))?.slice(2) ?? 1) : 0
}
