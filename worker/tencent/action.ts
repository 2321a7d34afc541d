/**
 * What an action is, and what all that have parameters do before they run: the scope, the documented rate, the parameters. In the order
 * in which the real service checks.
 */
import * as z from 'zod/mini'
import type { InstanceId, Outcome, Receipt } from '#contract'
import type { Acceptance, AcceptInput, AcceptResult } from '../accept.ts'
import type { Log } from '../log.ts'
import { rejectionOf, type Parsed } from '../parse.ts'
import type { Refusal, ViewDeps } from '../query/view.ts'
import type { RateLimit } from '../rate-limit.ts'
import type { Control } from '../registry/control-plane.ts'
import type { Directory, Scope } from '../registry/directory.ts'
import { fitToSchema } from './by-schema.ts'
import { refuse, type Call, type CallDeps, type Refused } from './call.ts'
import { errorOfRejection } from './error.ts'
import type { CallParameters } from './parameters.ts'

export interface TencentDeps extends CallDeps, Pick<ViewDeps, 'relayLink'> {
  directory: Directory
  control: Pick<Control, 'tasks'>
  /** Of this deployment. */
  instance: InstanceId
  rateLimit: RateLimit
  /** Refuses a task that is not running (`task_not_running`); that check is of every accepting route. */
  accept: (input: AcceptInput) => Promise<AcceptResult>
  /** Waits up to the hold; undefined when the outcome did not come. */
  outcome: (acceptance: Acceptance) => Promise<Outcome | undefined>
  /** One receipt for each report of the envelope, in order. */
  pendingReceipts: (acceptance: Acceptance) => Promise<readonly Receipt[]>
  log: Log
}

export interface Answered {
  status: 'answered'
  fields: Record<string, unknown>
}

/** All actions but SendMessage answer in one field of this name. */
export function result(value: unknown): Answered {
  return { status: 'answered', fields: { Result: value } }
}

/** A parameter that is a whole number, both bounds included. */
export function whole(min: number, max: number, problem = allowed(min, max)) {
  return z.int(problem).check(z.minimum(min, problem), z.maximum(max, problem))
}

/** A bound that no client means is not told. */
function allowed(min: number, max: number): string {
  return max === Number.MAX_SAFE_INTEGER
    ? `at least ${min} is allowed`
    : `${min} to ${max} is allowed`
}

export type Action = (call: Call, deps: TencentDeps) => Promise<Answered | Refused>

export interface ActionRules<T> {
  scope: Scope
  /** Of one credential. */
  perSecond: number
  parameters: z.ZodMiniType<T>
}

/** `run` gets the parameters as their schema makes them; a refusal of its own is told as any other. */
export function defineAction<T>(
  { scope, perSecond, parameters }: ActionRules<T>,
  run: (parameters: T, call: Call, deps: TencentDeps) => Promise<Answered | Refusal>,
): Action {
  return async (call, deps) => {
    const { credential, action } = call
    if (!credential.scopes.includes(scope)) {
      const problem = `The credential is not allowed to call \`${action}\`.`
      return refuse(errorOfRejection, { reason: 'forbidden', problem })
    }
    if (!deps.rateLimit.take(`${credential.secretId} ${action}`, perSecond)) {
      return refuse(errorOfRejection, { reason: 'rate_limited', perSecond })
    }
    const parsed = parseParameters(call.parameters(), parameters)
    if (parsed.status === 'rejected') return refuse(errorOfRejection, parsed.rejection)
    const result = await run(parsed.value, call, deps)
    if (result.status === 'answered') return result
    const { rejection, cause } = result
    return { ...refuse(errorOfRejection, rejection), ...(cause !== undefined && { cause }) }
  }
}

function parseParameters<T>(given: Parsed<CallParameters>, schema: z.ZodMiniType<T>): Parsed<T> {
  if (given.status === 'rejected') return given
  const { fields, typed } = given.value
  const parsed = schema.safeParse(fitToSchema(schema, fields, typed), { reportInput: true })
  if (parsed.success) return { status: 'ok', value: parsed.data }
  const rejection = rejectionOf(parsed.error)
  if (rejection.reason !== 'invalid_type') return { status: 'rejected', rejection }
  // Tencent's word for the numbers of all actions.
  const expected = rejection.expected.replace(/(number|int)$/, 'integer')
  return { status: 'rejected', rejection: { ...rejection, expected } }
}
