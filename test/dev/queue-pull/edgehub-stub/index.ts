/** Sends what it is told to its queues, and echoes every other request. */

interface Producer {
  send(body: unknown, options: { contentType: string }): Promise<unknown>
}

export default {
  async fetch(request: Request, env: Record<'QUEUE_0' | 'QUEUE_7', Producer>): Promise<Response> {
    const url = new URL(request.url)
    const body = await request.text()
    const contentType = url.searchParams.get('contentType') ?? 'text'
    if (url.pathname === '/send/0' || url.pathname === '/send/7') {
      const producer = url.pathname === '/send/0' ? env.QUEUE_0 : env.QUEUE_7
      await producer.send(decoded(body, contentType), { contentType })
      return new Response(null, { status: 204 })
    }
    const { method } = request
    return Response.json({ method, url: request.url, body, own: request.headers.get('x-own') })
  },
}

function decoded(body: string, contentType: string): unknown {
  if (contentType === 'json') return JSON.parse(body)
  return contentType === 'bytes' ? new TextEncoder().encode(body) : body
}
