// The worker's interface for the relay on plain HTTP, with a status store of one map: what the relay's real client speaks to in tests
// that make the worker fail in every way a worker, or a proxy in front of it, can. Requests are parsed by the contract.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  LookupsRequest,
  OutcomesRequest,
  statusShardOf,
  type EnvelopeId,
  type LookupsResponse,
  type Outcome,
  type OutcomesResponse,
} from '#contract'

const ROUTES = ['outcomes', 'lookups', 'envelopes'] as const
export type Route = (typeof ROUTES)[number]

export type WorkerFault =
  // 500, nothing done.
  | 'error'
  // 503 and a page, as a proxy answers for a worker that is gone.
  | 'unavailable_page'
  // 200 and a page, as a captive portal answers.
  | 'page'
  // Nothing is answered until the server is closed.
  | 'hang'
  // The answer begins, and stops in the middle.
  | 'stall'
  // It is done, and the connection is cut.
  | 'lost_answer'

export interface StandInWorker {
  url: string
  outcomes: Map<EnvelopeId, Outcome>
  // Records of large envelopes, by object name.
  objects: Map<string, string>
  // Status shards that answer nothing: their ids are left out of every answer.
  silentShards: Set<number>
  // Each request that came, refused ones too.
  calls: { route: Route; ids: EnvelopeId[] }[]
  // Resolves when there were so many more.
  called(more: number): Promise<void>
  // What is wrong with a route from now on.
  fail(fault: WorkerFault, ...routes: Route[]): void
  // The token is not the right one any more.
  refuse(): void
  // Connections are refused.
  down(): Promise<void>
  readonly isUp: boolean
  // All is well again, at the same port.
  heal(): Promise<void>
  close(): Promise<void>
}

const PAGE = '<html><body>Just a moment…</body></html>'

export async function startStandInWorker(token: string): Promise<StandInWorker> {
  const faults = new Map<Route, WorkerFault>()
  let called = Promise.withResolvers<void>()
  const worker: StandInWorker = {
    url: '',
    outcomes: new Map(),
    objects: new Map(),
    silentShards: new Set(),
    calls: [],
    async called(more) {
      const wanted = worker.calls.length + more
      while (worker.calls.length < wanted) await called.promise
    },
    fail(fault, ...routes) {
      for (const route of routes.length > 0 ? routes : ROUTES) faults.set(route, fault)
    },
    refuse: () => void (isRefused = true),
    down,
    get isUp() {
      return server.listening
    },
    async heal() {
      faults.clear()
      isRefused = false
      if (!server.listening) await listen(port)
    },
    close: down,
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  let port = 0
  let isRefused = false

  async function listen(at: number): Promise<void> {
    server.listen(at, '127.0.0.1')
    await once(server, 'listening')
    ;({ port } = server.address() as AddressInfo)
    worker.url = `http://127.0.0.1:${port}`
  }

  async function down(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const [, , name, object = ''] = request.url?.split('/') ?? []
    const route = ROUTES.find((known) => known === name)
    if (!route) return void response.writeHead(404).end()
    const json = text === '' ? undefined : (JSON.parse(text) as unknown)
    worker.calls.push({ route, ids: idsOf(route, json) })
    called.resolve()
    called = Promise.withResolvers()
    const isAllowed = request.headers.authorization === `Bearer ${token}` && !isRefused
    if (!isAllowed) return problem(response, 401, 'unauthorized')

    switch (faults.get(route)) {
      case 'error':
        return problem(response, 500, 'internal-error')
      case 'unavailable_page':
        return void response.writeHead(503, { 'content-type': 'text/html' }).end(PAGE)
      case 'page':
        return void response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE)
      case 'hang':
        return undefined
      case 'stall':
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"')
        return undefined
      case 'lost_answer':
        act(route, json, object, request.method)
        response.destroy()
        return undefined
      case undefined:
    }
    const { status, body } = act(route, json, object, request.method)
    if (status === 404) return problem(response, 404, 'envelope-not-found')
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }

  function act(route: Route, json: unknown, object: string, method = 'GET') {
    switch (route) {
      case 'outcomes': {
        const settled = OutcomesRequest.parse(json).outcomes.filter(({ id }) => speaks(id))
        for (const { id, outcome } of settled) {
          if (!worker.outcomes.has(id)) worker.outcomes.set(id, outcome)
        }
        return ok({ taken: settled.map(({ id }) => id) } satisfies OutcomesResponse)
      }
      case 'lookups': {
        const ids = LookupsRequest.parse(json).ids.filter(speaks)
        return ok({
          found: ids.filter((id) => worker.outcomes.has(id)),
          absent: ids.filter((id) => !worker.outcomes.has(id)),
        } satisfies LookupsResponse)
      }
      case 'envelopes': {
        const records = worker.objects.get(object)
        if (method === 'DELETE') {
          worker.objects.delete(object)
          return { status: 204, body: '' }
        }
        return records === undefined ? { status: 404, body: '' } : { status: 200, body: records }
      }
    }
  }

  const speaks = (id: EnvelopeId) => !worker.silentShards.has(statusShardOf(id))

  await listen(0)
  return worker
}

function idsOf(route: Route, json: unknown): EnvelopeId[] {
  switch (route) {
    case 'outcomes':
      return OutcomesRequest.parse(json).outcomes.map(({ id }) => id)
    case 'lookups':
      return LookupsRequest.parse(json).ids
    case 'envelopes':
      return []
  }
}

const ok = (value: unknown) => ({ status: 200, body: JSON.stringify(value) })

function problem(response: ServerResponse, status: number, type: string): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' })
  response.end(JSON.stringify({ type: `/problems/${type}`, status }))
}
