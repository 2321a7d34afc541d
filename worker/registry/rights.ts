/**
 * What a manager may: the admin all, a credential with the scope `manage` what lies within its own scopes, datahubs and life. Pure.
 */
import type { Credential, Scope } from './directory.ts'

export interface Rights {
  /** `admin`, or a SecretId: who the audit log names. */
  by: string
  scopes: 'all' | readonly Scope[]
  datahubs: Credential['datahubs']
  /** Unix ms; absent: it does not end. */
  expires?: number | undefined
}

export const ADMIN_RIGHTS: Rights = { by: 'admin', scopes: 'all', datahubs: 'all' }

/** Whether the datahub is among those that the manager may manage. */
export function reaches({ datahubs }: Rights, datahub: string): boolean {
  return datahubs === 'all' || datahubs.includes(datahub)
}

/**
 * Whether a credential has no more than the manager has: such a one it may see, make and change. One that lives on when the manager has
 * expired has more: with its secret, drawn or rotated, the manager would go on under its name.
 */
export function covers(
  rights: Rights,
  {
    scopes,
    datahubs,
    expires = Infinity,
  }: Omit<Rights, 'by' | 'scopes'> & Pick<Credential, 'scopes'>,
): boolean {
  if (expires > (rights.expires ?? Infinity)) return false
  const own = rights.scopes
  if (own !== 'all' && !scopes.every((scope) => own.includes(scope))) return false
  if (datahubs === 'all') return rights.datahubs === 'all'
  return datahubs.every((datahub) => reaches(rights, datahub))
}
