/** `POST /v1/credentials`, `GET /v1/credentials`: makes a credential, whose SecretKey is shown this once; lists them without. */
import { answer, refuse, type AppContext } from '../context.ts'
import { readJsonAs } from '../parse.ts'
import { NewCredential } from '../registry/control.ts'

const MAX_CONTROL_BYTES = 65_536

export async function createCredential(c: AppContext): Promise<Response> {
  const input = await readJsonAs(c.req.raw, MAX_CONTROL_BYTES, NewCredential)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  return answer(201, await c.get('services').control.createCredential(input.value))
}

export async function listCredentials(c: AppContext): Promise<Response> {
  return answer(200, { credentials: await c.get('services').control.listCredentials() })
}
