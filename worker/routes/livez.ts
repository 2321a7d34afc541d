/** `GET /livez`: the worker runs and its settings are good. Asks nothing of anybody else. */
import { answer } from '../context.ts'

export async function getLivez(): Promise<Response> {
  return answer(200, { status: 'ok' })
}
