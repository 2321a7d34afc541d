/**
 * How often one address may call, whoever calls from it: the first thing that is looked at, so that a flood of forged calls costs no
 * signature check and no look-up. The platform counts, in each Cloudflare location by itself and without a network wait; it is permissive
 * and never exact. A limiter that fails lets the call pass: it protects the service, and must not take it away.
 */
import type { MiddlewareHandler } from 'hono'
import type { AppContext, AppEnv } from '../context.ts'
import { describeError, log } from '../log.ts'
import { problemResponse } from '../problem.ts'
import type { Rejection } from '../rejection.ts'
import { traceIdOf } from '../tencent/api.ts'
import { errorOfRejection } from '../tencent/error.ts'
import { errorResponse } from '../tencent/response.ts'
import { relay } from './guards.ts'

export const addressLimit: MiddlewareHandler<AppEnv> = async (c, next) => {
  if ((await isFree(c)) || (await mayCall(c))) return next()
  const rejection: Rejection = { reason: 'address_rate_limited' }
  const requestId = c.get('requestId')
  const { response, entry } = problemResponse(rejection, {
    requestId,
    method: c.req.method,
    route: '*',
  })
  logSome(c, entry)
  if (c.req.path !== '/') return response
  const traceId = traceIdOf(c.req.raw.headers)
  return errorResponse(errorOfRejection(rejection), { requestId, traceId })
}

/** Health checks and the relay call from few addresses and must get through a flood from those. Who has no relay token is no relay. */
async function isFree(c: AppContext): Promise<boolean> {
  const { path } = c.req
  return path === '/livez' || (path.startsWith('/internal/') && !(await relay(c)))
}

async function mayCall(c: AppContext): Promise<boolean> {
  const limiter = c.get('services').addressLimit
  if (!limiter) return true
  // The platform sets the header, whatever the caller sent. Without it (a call from another worker) all share one count.
  const key = addressKey(c.req.header('CF-Connecting-IP') ?? 'none')
  try {
    return (await limiter.limit({ key })).success
  } catch (error) {
    const message = 'Could not count a call by its address.'
    logSome(c, { level: 'warn', message, cause: describeError(error) })
    return true
  }
}

/** At most one line a second in each isolate: a flood must not become one of the log. No address, which is personal data. */
function logSome(c: AppContext, entry: Parameters<typeof log>[0]): void {
  if (c.get('services').rateLimit.take('log of the address limit', 1)) log(entry)
}

/** What is counted as one: an IPv4 address, and the /64 of an IPv6 address, which one customer of a provider has all of. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const canonical = canonicalIpv6(address)
  if (canonical === undefined) return address
  // IPv4 in IPv6: the /64 of all of them is one and the same.
  if (/^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(canonical)) return canonical
  const [head = '', tail] = canonical.split('::')
  const before = groupsOf(head)
  const after = groupsOf(tail ?? '')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`
}

/** Lower case, without leading zeros, the longest run of zeros as `::`, never with IPv4 inside (https://url.spec.whatwg.org/#concept-ipv6-serializer). */
function canonicalIpv6(address: string): string | undefined {
  return URL.parse(`http://[${address}]`)?.hostname.slice(1, -1)
}

function groupsOf(part: string): string[] {
  return part === '' ? [] : part.split(':')
}
