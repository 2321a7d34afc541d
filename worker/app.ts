/**
 * The route table: every address, who may call it, and the one file that answers. Around it only what every answer needs: a request id,
 * and problems for what no route caught.
 */
import { Hono } from 'hono'
import { addressLimit } from './auth/address-limit.ts'
import {
  admin,
  anyone,
  manager,
  queryReader,
  relay,
  secretHolder,
  type Guard,
} from './auth/guards.ts'
import { refuse, type AppContext, type AppEnv } from './context.ts'
import { describeError } from './log.ts'
import { getAuditLog } from './routes/audit-log.ts'
import {
  changeCredential,
  createCredential,
  deleteCredential,
  getCredential,
  listCredentials,
  resealCredentials,
  rotateSecret,
} from './routes/credentials.ts'
import {
  changeDatahub,
  createDatahub,
  deleteDatahub,
  getDatahub,
  listDatahubs,
  pauseDatahub,
  restartDatahub,
  resumeDatahub,
} from './routes/datahubs.ts'
import { deleteEnvelope, getEnvelope } from './routes/envelopes.ts'
import { openLink } from './routes/link.ts'
import { getLivez } from './routes/livez.ts'
import { postLookups } from './routes/lookups.ts'
import { getMessages } from './routes/messages.ts'
import { postOutcomes } from './routes/outcomes.ts'
import { getReceipt } from './routes/receipt.ts'
import { queryReceipts } from './routes/receipts-query.ts'
import { postReports } from './routes/reports.ts'
import {
  changeSchema,
  createSchema,
  deleteSchema,
  getSchema,
  listSchemas,
} from './routes/schemas.ts'
import { tencentApi } from './routes/tencent.ts'
import { getTopic, listTopics } from './routes/topics.ts'
import type { Services } from './services.ts'
import { UnavailableError } from './unavailable.ts'

type Handler = (c: AppContext) => Promise<Response>
type Route = readonly [
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  guard: Guard,
  run: Handler,
]

/** Described in `static/openapi.json`, each of them; a test compares. */
// oxfmt-ignore
export const ROUTES: readonly Route[] = [
  ['POST',   '/',                                anyone,       tencentApi],
  ['GET',    '/',                                anyone,       tencentApi],

  ['POST',   '/v1/datahubs/:datahub/reports',    secretHolder, postReports],
  ['GET',    '/v1/receipts/:receipt',            anyone,       getReceipt],
  ['POST',   '/v1/receipts/query',               anyone,       queryReceipts],

  ['GET',    '/v1/datahubs',                     manager,      listDatahubs],
  ['POST',   '/v1/datahubs',                     manager,      createDatahub],
  ['GET',    '/v1/datahubs/:datahub',            manager,      getDatahub],
  ['PATCH',  '/v1/datahubs/:datahub',            manager,      changeDatahub],
  ['DELETE', '/v1/datahubs/:datahub',            manager,      deleteDatahub],
  ['POST',   '/v1/datahubs/:datahub/pause',      manager,      pauseDatahub],
  ['POST',   '/v1/datahubs/:datahub/resume',     manager,      resumeDatahub],
  ['POST',   '/v1/datahubs/:datahub/restart',    manager,      restartDatahub],

  ['GET',    '/v1/credentials',                  manager,      listCredentials],
  ['POST',   '/v1/credentials',                  manager,      createCredential],
  ['POST',   '/v1/credentials/reseal',           admin,        resealCredentials],
  ['GET',    '/v1/credentials/:secretId',        manager,      getCredential],
  ['PATCH',  '/v1/credentials/:secretId',        manager,      changeCredential],
  ['DELETE', '/v1/credentials/:secretId',        manager,      deleteCredential],
  ['POST',   '/v1/credentials/:secretId/rotate', manager,      rotateSecret],

  ['GET',    '/v1/schemas',                      manager,      listSchemas],
  ['POST',   '/v1/schemas',                      manager,      createSchema],
  ['GET',    '/v1/schemas/:schemaId',            manager,      getSchema],
  ['PATCH',  '/v1/schemas/:schemaId',            manager,      changeSchema],
  ['DELETE', '/v1/schemas/:schemaId',            manager,      deleteSchema],

  ['GET',    '/v1/audit-log',                    admin,        getAuditLog],

  ['GET',    '/v1/messages',                     queryReader,  getMessages],
  ['GET',    '/v1/topics',                       queryReader,  listTopics],
  ['GET',    '/v1/topics/:topic',                queryReader,  getTopic],

  ['POST',   '/internal/outcomes',               relay,        postOutcomes],
  ['POST',   '/internal/lookups',                relay,        postLookups],
  ['GET',    '/internal/envelopes/:object',      relay,        getEnvelope],
  ['DELETE', '/internal/envelopes/:object',      relay,        deleteEnvelope],
  ['GET',    '/internal/link',                   relay,        openLink],

  ['GET',    '/livez',                           anyone,       getLivez],
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

  app.use(addressLimit)

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
