/** `POST /`, `GET /`: the Tencent API. Hands over what it needs; everything else about it is in `tencent/`. */
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { outcomeOf } from '../services.ts'
import { handleTencentRequest } from '../tencent/api.ts'
import { docsRedirect } from './docs.ts'

export async function tencentApi(c: AppContext): Promise<Response> {
  const redirect = docsRedirect(c)
  if (redirect) return redirect
  const services = c.get('services')
  const { directory, control, now, accept, rateLimit, relayLink, settings } = services
  return handleTencentRequest(c.req.raw, {
    directory,
    control,
    now,
    hostAliases: settings.hostAliases,
    unsignedPayload: settings.unsignedPayload,
    instance: settings.instance,
    relayLink,
    rateLimit,
    accept,
    outcome: (acceptance) => outcomeOf(services, acceptance, settings.sendMessageWaitMs),
    pendingReceipts: services.receiptsOf,
    log,
  })
}
