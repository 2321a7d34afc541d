/** What the actions that read topics and messages share: scope, instance, the caller's view, and integers of any size. */
import * as z from 'zod/mini'
import { viewOf, type Refusal, type View } from '../../query/view.ts'
import { rejected } from '../../rejection.ts'
import { defineAction, type Action, type ActionRules, type Answered } from '../action.ts'

export function queryAction<T extends { InstanceId: string }>(
  rules: Omit<ActionRules<T>, 'scope'>,
  run: (parameters: T, view: View) => Promise<Answered | Refusal>,
): Action {
  return defineAction({ ...rules, scope: 'query' }, async (parameters, call, deps) => {
    const { InstanceId } = parameters
    if (InstanceId !== deps.instance) {
      return rejected({ reason: 'instance_not_found', instance: InstanceId, own: deps.instance })
    }
    return run(parameters, await viewOf(call.credential, deps))
  })
}

/** A filter on what Edgehub does not have: passed over it would show what was to be left out. */
export const Unfit = z.optional(
  z.string().check(z.maxLength(0, 'There is nothing of this kind here; leave it out')),
)

/** Newer than the libraries' types. Where a number of JavaScript's would be rounded, the digits stand in the JSON as they are. */
const { rawJSON } = JSON as unknown as { rawJSON: (json: string) => object }

/** undefined or no integer: null, "can't be obtained". */
export function integer(digits: string | undefined): object | null {
  return digits !== undefined && /^-?\d{1,19}$/.test(digits)
    ? rawJSON(String(BigInt(digits)))
    : null
}
