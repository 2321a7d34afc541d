import { Counter, Registry } from 'prom-client'
import { describe, it, onTestFinished } from 'vitest'
import { startOpsServer } from '../../../relay/ops/http.ts'

async function serve(notReady: () => string | undefined = () => undefined) {
  const registry = new Registry()
  new Counter({ name: 'a_total', help: 'A.', registers: [registry] }).inc(3)
  const server = await startOpsServer({ host: '127.0.0.1', port: 0, registry, notReady })
  onTestFinished(() => server.close())
  return {
    registry,
    server,
    async get(path: string, method = 'GET') {
      const response = await fetch(`${server.url}${path}`, { method })
      return {
        status: response.status,
        text: await response.text(),
        type: response.headers.get('content-type'),
        allow: response.headers.get('allow'),
      }
    },
  }
}

describe('the ops endpoints', () => {
  it('/livez says that the process runs', async ({ expect }) => {
    const { get } = await serve(() => 'not ready at all')
    expect(await get('/livez')).toMatchObject({ status: 200, text: 'ok\n' })
  })

  it('/readyz says in words why it is not ready, as it is at the moment of the asking', async ({
    expect,
  }) => {
    let why: string | undefined = 'not booted: shards 1, 3'
    const { get } = await serve(() => why)
    expect(await get('/readyz')).toMatchObject({ status: 503, text: 'not booted: shards 1, 3\n' })
    why = undefined
    expect(await get('/readyz?verbose')).toMatchObject({ status: 200, text: 'ok\n' })
  })

  it('/metrics is the Prometheus text, with its content type', async ({ expect }) => {
    const { get, registry } = await serve()
    const { status, text, type } = await get('/metrics')
    expect({ status, type }).toEqual({ status: 200, type: registry.contentType })
    expect(text).toContain('a_total 3')
  })

  it('a metric that can not be collected is an error, and ends nothing', async ({ expect }) => {
    const { get, registry } = await serve()
    registry.registerMetric(
      new Counter({
        name: 'b_total',
        help: 'B.',
        registers: [],
        collect() {
          throw new Error('no')
        },
      }),
    )
    expect((await get('/metrics')).status).toBe(500)
    expect((await get('/livez')).status).toBe(200)
  })

  it.for([
    ['/', 'GET', 404],
    ['/livez/', 'GET', 404],
    ['/livez', 'POST', 405],
    ['/livez', 'HEAD', 200],
  ] as const)('%s with %s is %i', async ([path, method, status], { expect }) => {
    const { get } = await serve()
    const answer = await get(path, method)
    expect(answer.status).toBe(status)
    expect(answer.allow).toBe(status === 405 ? 'GET, HEAD' : null)
    if (method === 'HEAD') expect(answer.text).toBe('')
  })

  it('a port that is taken is an error at start', async ({ expect }) => {
    const { server, registry } = await serve()
    const port = Number(new URL(server.url).port)
    await expect(
      startOpsServer({ host: '127.0.0.1', port, registry, notReady: () => undefined }),
    ).rejects.toThrow('EADDRINUSE')
  })
})
