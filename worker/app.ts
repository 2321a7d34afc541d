/**
 * The route table: every address, who may call it, and the one file that answers. Around it only what every answer needs: a request id,
 * and problems for what no route caught.
 */
import { Hono } from 'hono'
import { admin, anyone, queryReader, relay, secretHolder, type Guard } from './auth/guards.ts'
import { refuse, type AppContext, type AppEnv } from './context.ts'
import { describeError } from './log.ts'
import { createCredential, listCredentials } from './routes/credentials.ts'
import { createDatahub, listDatahubs } from './routes/datahubs.ts'
import { deleteEnvelope, getEnvelope } from './routes/envelopes.ts'
import { openLink } from './routes/link.ts'
import { getLivez } from './routes/livez.ts'
import { postLookups } from './routes/lookups.ts'
import { getMessages } from './routes/messages.ts'
import { postOutcomes } from './routes/outcomes.ts'
import { getReceipt } from './routes/receipt.ts'
import { queryReceipts } from './routes/receipts-query.ts'
import { postReports } from './routes/reports.ts'
import { tencentApi } from './routes/tencent.ts'
import { getTopic, listTopics } from './routes/topics.ts'
import type { Services } from './services.ts'
import { UnavailableError } from './unavailable.ts'

type Handler = (c: AppContext) => Promise<Response>
type Route = readonly [method: 'GET' | 'POST' | 'DELETE', path: string, guard: Guard, run: Handler]

// oxfmt-ignore
const ROUTES: readonly Route[] = [
  ['POST',   '/',                             anyone,       tencentApi],
  ['GET',    '/',                             anyone,       tencentApi],

  ['POST',   '/v1/datahubs/:datahub/reports', secretHolder, postReports],
  ['GET',    '/v1/receipts/:receipt',         anyone,       getReceipt],
  ['POST',   '/v1/receipts/query',            anyone,       queryReceipts],

  ['POST',   '/v1/datahubs',                  admin,        createDatahub],
  ['GET',    '/v1/datahubs',                  admin,        listDatahubs],
  ['POST',   '/v1/credentials',               admin,        createCredential],
  ['GET',    '/v1/credentials',               admin,        listCredentials],

  ['GET',    '/v1/messages',                  queryReader,  getMessages],
  ['GET',    '/v1/topics',                    queryReader,  listTopics],
  ['GET',    '/v1/topics/:topic',             queryReader,  getTopic],

  ['POST',   '/internal/outcomes',            relay,        postOutcomes],
  ['POST',   '/internal/lookups',             relay,        postLookups],
  ['GET',    '/internal/envelopes/:object',   relay,        getEnvelope],
  ['DELETE', '/internal/envelopes/:object',   relay,        deleteEnvelope],
  ['GET',    '/internal/link',                relay,        openLink],

  ['GET',    '/livez',                        anyone,       getLivez],
]

export type MakeServices = (env: Env, waitUntil: (p: Promise<unknown>) => void) => Services

export function createApp(makeServices: MakeServices): Hono<AppEnv> {
  const app = new Hono<AppEnv>()

  app.use(async function requestId(c, next) {
    c.set('requestId', crypto.randomUUID())
    await next()
    // `/` has a request id of its own in its answer; where it says so, that one counts.
    if (!c.res.headers.has('X-Request-Id')) c.header('X-Request-Id', c.get('requestId'))
  })

  app.use(async function services(c, next) {
    c.set(
      'services',
      makeServices(c.env, (promise) => c.executionCtx.waitUntil(promise)),
    )
    await next()
  })

  for (const [method, path, guard, run] of ROUTES) {
    app.on(method, path, async (c) => {
      const rejection = await guard(c)
      return rejection ? refuse(c, rejection) : run(c)
    })
  }
  for (const [path, routes] of Map.groupBy(ROUTES, ([, path]) => path)) {
    // HEAD is GET without the body (hono does that), so where GET is, HEAD is.
    const allow = routes.flatMap(([method]) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    app.all(path, (c) => refuse(c, { reason: 'method_not_allowed', allow: allow.join(', ') }))
  }

  app.notFound((c) => refuse(c, { reason: 'route_not_found' }))
  app.onError((error, c) =>
    error instanceof UnavailableError
      ? refuse(
          c,
          { reason: 'unavailable', retryAfterSeconds: error.retryAfterSeconds },
          describeError(error),
        )
      : refuse(c, { reason: 'internal' }, describeError(error)),
  )
  return app
}
