/**
 * `POST /internal/outcomes`: the relay reports final outcomes. The answer names the ids that durably have one now, this or an earlier one;
 * only those may be acked. A status shard that fails costs only its own ids, so one bad shard never stops the others. Repeatable.
 */
import { MAX_OUTCOMES_BYTES, OutcomesRequest, type OutcomesResponse } from '#contract'
import { answer, refuse, type AppContext } from '../context.ts'
import { readJsonAs } from '../parse.ts'

/** The relay counts what it collects; the JSON around it is a little more. */
const SLACK_BYTES = 65_536

export async function postOutcomes(c: AppContext): Promise<Response> {
  const request = await readJsonAs(c.req.raw, MAX_OUTCOMES_BYTES + SLACK_BYTES, OutcomesRequest)
  if (request.status === 'rejected') return refuse(c, request.rejection)
  const taken = await c.get('services').status.put(request.value.outcomes)
  return answer(200, { taken } satisfies OutcomesResponse)
}
