/** A request's body, parsed once and by its schema, or the answer that refuses it. Pure. */
import type * as z from 'zod'
import { refuse, type ApiAnswer } from './answer.ts'

/** An absent body reads as `{}`. Cloudflare's code says which part is wrong. */
export function parseBody<T extends z.ZodType>(
  body: string,
  schema: T,
): { value: z.output<T> } | { refused: ApiAnswer } {
  let json: unknown
  try {
    json = body === '' ? {} : JSON.parse(body)
  } catch {
    return { refused: refuse({ reason: 'bad_body', problem: 'not JSON' }) }
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return { value: parsed.data }
  const [issue] = parsed.error.issues
  const place = issue?.path.map(String) ?? []
  const problem = `${place.join('.') || 'body'}: ${issue?.message ?? 'invalid'}`
  if (place.includes('delay_seconds')) return { refused: refuse({ reason: 'bad_delay', problem }) }
  const isCount = place.includes('batch_size') || issue?.code === 'custom'
  return { refused: refuse({ reason: isCount ? 'bad_batch' : 'bad_body', problem }) }
}
