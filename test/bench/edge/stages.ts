/**
 * SendMessage cut off after each of its stages, in the order of the real one and by its own functions. What a route takes more than the
 * one before is what its last stage takes. A stage that refuses is a fault of the bench and throws.
 */
import { Hono } from 'hono'
import { MAX_BODY_BYTES } from '#contract'
import { readBody } from '../../../worker/body.ts'
import { servicesFor } from '../../../worker/services.ts'
import { authenticateCall } from '../../../worker/tencent/call.ts'
import { parseSendMessage } from '../../../worker/tencent/send/messages.ts'
import type { Stage } from './stage-names.ts'

const ACTIONS = new Map([['SendMessage', true]])

export function stagesApp(bindings: Env): Hono {
  const app = new Hono()
  app.post('/:stage', async (c) => {
    const stage = c.req.param('stage') as Stage
    await runTo(stage, c.req.raw, bindings, (promise) => c.executionCtx.waitUntil(promise))
    return c.json({ stage })
  })
  return app
}

async function runTo(
  stage: Stage,
  request: Request,
  bindings: Env,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<void> {
  if (stage === 'body') {
    await readBody(request, MAX_BODY_BYTES)
    return
  }
  const services = servicesFor(bindings, waitUntil)
  const { directory, now, settings, accept } = services
  const { hostAliases, unsignedPayload } = settings
  const deps = { directory, now, hostAliases, unsignedPayload }
  const call = await authenticateCall(request, deps, ACTIONS)
  if (call.status === 'refused') throw new Error(call.reason)
  if (stage === 'signature') return

  const parsed = parseSendMessage(call.parameters())
  if (parsed.status === 'rejected') throw new Error(parsed.rejection.reason)
  if (stage === 'parse') return

  const { datahub, records } = parsed.message
  const task = await directory.findTask(datahub)
  if (!task) throw new Error(`${datahub} is not there`)
  const accepted = await accept({ task, records, path: 'Message', valueName: 'Body' })
  if (accepted.status === 'rejected') throw new Error(accepted.rejection.reason)
}
