/**
 * What a manager may: the admin all, a credential with the scope `manage` what lies within its own scopes and datahubs. Pure.
 */
import type { Credential, Scope } from './directory.ts'

export interface Rights {
  /** `admin`, or a SecretId: who the audit log names. */
  by: string
  scopes: 'all' | readonly Scope[]
  datahubs: Credential['datahubs']
}

export const ADMIN_RIGHTS: Rights = { by: 'admin', scopes: 'all', datahubs: 'all' }

export function reaches({ datahubs }: Rights, datahub: string): boolean {
  return datahubs === 'all' || datahubs.includes(datahub)
}

/** Whether a credential has no more than the manager has: such a one it may see, make and change. */
export function covers(
  rights: Rights,
  { scopes, datahubs }: Pick<Credential, 'scopes' | 'datahubs'>,
): boolean {
  const own = rights.scopes
  if (own !== 'all' && !scopes.every((scope) => own.includes(scope))) return false
  if (datahubs === 'all') return rights.datahubs === 'all'
  return datahubs.every((datahub) => reaches(rights, datahub))
}
