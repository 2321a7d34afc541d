/** `GET /v1/audit-log`: who changed what, when; newest first, by pages. For the admin alone. */
import { refuse, type AppContext } from '../context.ts'
import { formatCursor, parsePageQuery } from '../page.ts'
import { sendPage } from './managed.ts'

const LIST = 'entries'

export async function getAuditLog(c: AppContext): Promise<Response> {
  const query = parsePageQuery(new URL(c.req.url).searchParams, LIST, ['target'])
  if (query.status === 'rejected') return refuse(c, query.rejection)
  const { limit, after, filters } = query.value
  const { control } = c.get('services')
  // One more than is shown tells whether there are more.
  const asked = { before: after?.[0], limit: limit + 1, target: filters.target }
  const found = await control.auditLog(c.get('manager'), asked)
  if (found.status === 'rejected') return refuse(c, found.rejection)
  const entries = found.value.slice(0, limit)
  const last = entries.at(-1)
  const more = found.value.length > limit && last
  return sendPage(c, LIST, entries, more ? formatCursor(LIST, [last.id, '']) : undefined)
}
