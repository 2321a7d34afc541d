/** Between web requests and the API's plain values. */
import type { ApiAnswer } from './answer.ts'
import type { ApiCall } from './host.ts'

export async function apiCall(request: Request): Promise<ApiCall> {
  return {
    method: request.method,
    url: new URL(request.url),
    authorization: request.headers.get('authorization') ?? undefined,
    body: await request.text(),
  }
}

export function response({ status, headers, body }: ApiAnswer): Response {
  return new Response(body, { status, headers })
}
