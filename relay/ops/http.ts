/** /livez, /readyz and /metrics on one port. Ready: a member of the group, and every owned shard is booted. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
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
}

/** @throws when the port is taken */
export async function startOpsServer({
  host,
  port,
  registry,
  notReady,
}: OpsOptions): Promise<OpsServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
      response.end(request.method === 'HEAD' ? undefined : body)
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
          (text) => answer(200, text, registry.contentType),
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
