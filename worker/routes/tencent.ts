/** `POST /`, `GET /`: the Tencent API. Hands over what it needs; everything else about it is in `tencent/`. */
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { outcomeOf } from '../services.ts'
import { handleTencentRequest } from '../tencent/api.ts'

export async function tencentApi(c: AppContext): Promise<Response> {
  const services = c.get('services')
  const { directory, now, accept, settings } = services
  return handleTencentRequest(c.req.raw, {
    directory,
    now,
    hostAliases: settings.hostAliases,
    accept,
    outcome: (acceptance) => outcomeOf(services, acceptance, settings.sendMessageWaitMs),
    pendingReceipts: services.receiptsOf,
    log,
  })
}
