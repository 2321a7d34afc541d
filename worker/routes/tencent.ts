/** `POST /`, `GET /`: the Tencent API. Hands over what it needs; everything else about it is in `tencent/`. */
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { createRateLimit } from '../rate-limit.ts'
import { outcomeOf } from '../services.ts'
import { handleTencentRequest } from '../tencent/api.ts'

/** Of this isolate. A key is a credential and an action, about 100 bytes. */
const rateLimit = createRateLimit({ now: () => Date.now(), maxKeys: 10_000 })

export async function tencentApi(c: AppContext): Promise<Response> {
  const services = c.get('services')
  const { directory, now, accept, relayLink, settings } = services
  return handleTencentRequest(c.req.raw, {
    directory,
    now,
    hostAliases: settings.hostAliases,
    instance: settings.instance,
    relayLink,
    rateLimit,
    accept,
    outcome: (acceptance) => outcomeOf(services, acceptance, settings.sendMessageWaitMs),
    pendingReceipts: services.receiptsOf,
    log,
  })
}
