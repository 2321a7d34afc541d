/** The two calls of the worker that a relay without large envelopes makes: outcomes are posted, ids are looked up. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type {
  EnvelopeId,
  LookupsRequest,
  LookupsResponse,
  OutcomesRequest,
  OutcomesResponse,
  SettledEnvelope,
} from '#contract'

export interface StandInWorkerOptions {
  /** The ids that are taken. */
  take(outcomes: readonly SettledEnvelope[]): EnvelopeId[]
  /** It has an outcome. */
  isFound(id: EnvelopeId): boolean
}

export async function startStandInWorker({ take, isFound }: StandInWorkerOptions) {
  function answer(path: string | undefined, text: string): OutcomesResponse | LookupsResponse {
    switch (path) {
      case '/internal/outcomes':
        return { taken: take((JSON.parse(text) as OutcomesRequest).outcomes) }
      case '/internal/lookups': {
        const { ids } = JSON.parse(text) as LookupsRequest
        return { found: ids.filter(isFound), absent: ids.filter((id) => !isFound(id)) }
      }
      default:
        throw new Error(`a relay asked for ${path}`)
    }
  }

  const server = createServer((request, response) => {
    // There is no link here; the relay asks for it now and then.
    if (request.url === '/internal/link') {
      response.writeHead(404).end()
      return
    }
    // What a relay must not ask for ends this process.
    void readBody(request).then((text) => {
      const body = JSON.stringify(answer(request.url, text))
      response.writeHead(200, { 'content-type': 'application/json' }).end(body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function readBody(chunks: AsyncIterable<unknown>): Promise<string> {
  const parts: Buffer[] = []
  for await (const chunk of chunks) parts.push(chunk as Buffer)
  return Buffer.concat(parts).toString()
}
