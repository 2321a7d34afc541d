/**
 * Who may call a route: one guard for each kind of caller, run before anything is read or looked up. A guard answers why not, or
 * undefined. Wrong and missing credentials get the same words.
 */
import type { AppContext } from '../context.ts'
import { REST_CALLS_PER_SECOND } from '../rate-limit.ts'
import type { Credential, Scope } from '../registry/directory.ts'
import type { Rejection } from '../rejection.ts'
import { parseBasic } from './basic.ts'
import { equalSecrets } from './equal.ts'
import { checkNewest } from './newest-secrets.ts'

export type Guard = (c: AppContext) => Promise<Rejection | undefined>

export const anyone: Guard = async () => undefined

/** HTTP Basic with SecretId and SecretKey, of a temporary credential its session token too; leaves the credential in the context. */
export const secretHolder: Guard = async (c) => {
  const problem = `A SecretId and its SecretKey by HTTP Basic are expected; ${TOKEN_TOO}.`
  const { directory } = c.get('services')
  const basic = parseBasic(c.req.header('Authorization'))
  const cached = basic && (await directory.findCredential(basic.secretId))
  if (!cached) return { reason: 'unauthenticated', problem }
  const token = c.req.header('X-TC-Token') ?? ''
  const { credential, result } = await checkNewest(
    cached,
    directory,
    (one) => fits(one, basic.secretKey, token),
    (isFitting) => !isFitting,
  )
  if (!result) return { reason: 'unauthenticated', problem }
  c.set('credential', credential)
  return undefined
}

/** Said to everybody, because what was wrong is not told. */
const TOKEN_TOO = 'a temporary credential needs its session token in X-TC-Token too'

async function fits(
  { secretKeys, sessionToken }: Credential,
  secretKey: string,
  token: string,
): Promise<boolean> {
  // All of them, always: the time must not tell which one matched, nor whether it was the key or the token that did not.
  const [tokenMatches, ...keysMatch] = await Promise.all([
    equalSecrets(sessionToken ?? token, token),
    ...secretKeys.map((secret) => equalSecrets(secret, secretKey)),
  ])
  return tokenMatches && keysMatch.includes(true)
}

/** The admin alone; what it manages is noted as the admin's. */
export const admin: Guard = async (c) => {
  const rejection = await bearer(c, c.get('services').settings.adminToken, 'admin')
  if (!rejection) c.set('manager', 'admin')
  return rejection
}

/** Who may read topics and messages: the admin, or a credential with the scope query, by HTTP Basic. */
export const queryReader: Guard = (c) =>
  adminOr('query', c, (reader) => {
    c.set('reader', reader)
  })

/** Who may manage: the admin, or a credential with the scope manage, by HTTP Basic. What it may manage is the control plane's to say. */
export const manager: Guard = (c) =>
  adminOr('manage', c, (by) => {
    c.set('manager', by)
  })

async function adminOr(
  scope: Scope,
  c: AppContext,
  set: (caller: Credential | 'admin') => void,
): Promise<Rejection | undefined> {
  if (!(await admin(c))) {
    set('admin')
    return undefined
  }
  if (await secretHolder(c)) {
    const problem = `The admin token as a bearer token, or a SecretId and its SecretKey by HTTP Basic, are expected; ${TOKEN_TOO}.`
    return { reason: 'unauthenticated', problem }
  }
  const credential = c.get('credential')
  if (!credential.scopes.includes(scope)) {
    return { reason: 'forbidden', problem: `The credential has no scope ${scope}.` }
  }
  const perSecond = REST_CALLS_PER_SECOND
  if (!c.get('services').rateLimit.take(`${credential.secretId} REST`, perSecond)) {
    return { reason: 'rate_limited', perSecond }
  }
  set(credential)
  return undefined
}

export const relay: Guard = (c) => bearer(c, c.get('services').settings.relayToken, 'relay')

async function bearer(c: AppContext, token: string, kind: string): Promise<Rejection | undefined> {
  const given = /^Bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '')?.[1]
  if (given !== undefined && (await equalSecrets(given, token))) return undefined
  return { reason: 'unauthenticated', problem: `The ${kind} token as a bearer token is expected.` }
}
