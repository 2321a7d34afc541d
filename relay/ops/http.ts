/** /livez, /readyz and /metrics on one port. Ready: a member of the group, and every owned shard is booted. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Registry } from 'prom-client'

export interface OpsServer {
  url: string
  close(): Promise<void>
}

export interface OpsOptions {
  host: string
  /** 0: any free one. */
  port: number
  registry: Registry
  /** Why it is not ready, in words; undefined when it is. */
  notReady(): string | undefined
  /** For crash tests only: arms a failpoint; false when the text names none. Left out: there is no such address. */
  arm?(text: string): boolean
}

/** @throws when the port is taken */
export async function startOpsServer({
  host,
  port,
  registry,
  notReady,
  arm,
}: OpsOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? undefined : body)
    }
    if (arm && request.method === 'POST' && request.url === '/failpoints') {
      void text(request).then(
        (body) => (arm(body) ? answer(204, '') : answer(400, 'this names no failpoint\n')),
        () => answer(400, 'the body could not be read\n'),
      )
      return
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      answer(405, 'GET or HEAD only\n')
      return
    }
    let why: string | undefined
    switch (request.url?.split('?')[0]) {
      case '/livez':
        answer(200, 'ok\n')
        return
      case '/readyz':
        why = notReady()
        answer(why === undefined ? 200 : 503, why === undefined ? 'ok\n' : `${why}\n`)
        return
      case '/metrics':
        registry.metrics().then(
          (metrics) => answer(200, metrics, registry.contentType),
          () => answer(500, 'the metrics could not be collected\n'),
        )
        return
      default:
        answer(404, 'try /livez, /readyz or /metrics\n')
    }
  })
  await listen(server, host, port)
  const address = server.address() as AddressInfo
  return {
    url: `http://${host}:${address.port}`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
