/**
 * `/v1/credentials` and `/v1/credentials/{secretId}`: who may call. Secrets are in the answers of making one and of rotating its secret, and
 * nowhere else.
 */
import { answer, refuse, type AppContext } from '../context.ts'
import type {
  CredentialControl,
  CredentialSecrets,
  ManagedCredential,
} from '../registry/control-plane.ts'
import { CredentialChanges, NewCredential, Rotation } from '../registry/forms.ts'
import { answerDone, answerNothing, readNew, readOptional, routesOf, tagOf } from './managed.ts'

export async function createCredential(c: AppContext): Promise<Response> {
  const input = await readNew(c, NewCredential)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  const created = await credentialsOf(c).create(c.get('manager'), input.value)
  return answerDone(c, created, ({ credential, secrets }) =>
    answerWithSecrets(201, credential, secrets, {
      Location: `/v1/credentials/${credential.secretId}`,
    }),
  )
}

const credentials = routesOf({
  list: 'credentials',
  changes: CredentialChanges,
  keyOf: ({ created, secretId }) => [created, secretId],
  show,
  all: (c) => credentialsOf(c).list(c.get('manager')),
  find: (c) => credentialsOf(c).find(c.get('manager'), idOf(c)),
  modify: (c, changes, guard) => credentialsOf(c).modify(c.get('manager'), idOf(c), changes, guard),
})

export const { list: listCredentials, get: getCredential, change: changeCredential } = credentials

export async function rotateSecret(c: AppContext): Promise<Response> {
  const input = await readOptional(c, Rotation)
  if (input.status === 'rejected') return refuse(c, input.rejection)
  return credentials.act(
    c,
    (guard) => credentialsOf(c).rotate(c.get('manager'), idOf(c), input.value, guard),
    ({ credential, secrets }) => answerWithSecrets(200, credential, secrets),
  )
}

export function deleteCredential(c: AppContext): Promise<Response> {
  const remove = (guard: { ifRevision?: number }) =>
    credentialsOf(c).delete(c.get('manager'), idOf(c), guard)
  return credentials.act(c, remove, answerNothing)
}

export async function resealCredentials(c: AppContext): Promise<Response> {
  const resealed = await credentialsOf(c).reseal(c.get('manager'))
  return answerDone(c, resealed, (counts) => answer(200, counts))
}

/** The tag is that of the credential without its secrets, as a GET shows it. */
function answerWithSecrets(
  status: 200 | 201,
  credential: ManagedCredential,
  { secretKey, sessionToken }: CredentialSecrets,
  headers: Record<string, string> = {},
): Response {
  const shown = show(credential)
  const { secretId, ...rest } = shown
  const body = { secretId, secretKey, sessionToken, ...rest }
  return answer(status, body, { ...tagOf(shown), ...headers })
}

function credentialsOf(c: AppContext): CredentialControl {
  return c.get('services').control.credentials
}

function idOf(c: AppContext): string {
  return c.req.param('secretId') ?? ''
}

function show(credential: ManagedCredential) {
  const { secretId, name, scopes, datahubs, disabled, expires, temporary } = credential
  const { olderSecrets, created, changed, revision } = credential
  return {
    secretId,
    name,
    scopes,
    datahubs,
    disabled,
    expires,
    temporary,
    olderSecrets,
    created,
    changed,
    revision,
  }
}
