/** `GET /internal/link`: a relay opens its WebSocket. Answers 426 to a request that asks for none; the link object does the rest. */
import { refuse, type AppContext } from '../context.ts'

export async function openLink(c: AppContext): Promise<Response> {
  if (c.req.header('Upgrade')?.toLowerCase() !== 'websocket') {
    return refuse(c, { reason: 'upgrade_required', protocol: 'websocket' })
  }
  return c.get('services').relayLink.connect(c.req.raw)
}
