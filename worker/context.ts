/** What a request carries through the app: bindings, and what the middleware adds. */
import type { Context } from 'hono'
import { routePath } from 'hono/route'
import { log } from './log.ts'
import { problemResponse } from './problem.ts'
import type { Reader } from './query/view.ts'
import type { Manager } from './registry/control-plane.ts'
import type { Credential } from './registry/directory.ts'
import type { Rejection } from './rejection.ts'
import type { Services } from './services.ts'

export interface AppEnv {
  Bindings: Env
  Variables: {
    requestId: string
    services: Services
    /** Set by the guard of routes that take Basic. */
    credential: Credential
    /** Set by the guard of routes that the admin may call as well; without it they show nothing. */
    reader: Reader
    /** Set by the guards of the control plane; without it nothing is managed. */
    manager: Manager
  }
}

export type AppContext = Context<AppEnv>

/** A refused request: its one log line is written here, its answer is the problem table's. */
export function refuse(c: AppContext, rejection: Rejection, cause?: string): Response {
  const { response, entry } = problemResponse(rejection, {
    requestId: c.get('requestId'),
    method: c.req.method,
    route: routePath(c, -1),
    ...(cause !== undefined && { cause }),
  })
  log(entry)
  return response
}

/** JSON as it is, without hono's own charset parameter: RFC 8259 section 11 defines none. */
export function answer(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  })
}
