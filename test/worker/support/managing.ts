/** What tests of the control plane's routes do alike. */
import { ADMIN, type TestClient } from './client.ts'

export function patch(
  client: TestClient,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return client.fetch(path, {
    method: 'PATCH',
    headers: { ...ADMIN, 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/**
 * All items of a list, by its links from page to page, in some four pages: how much there is depends on the tests before. Something may
 * happen after each of the first ones. @throws when the list does not end, or a page says two things about the next one
 */
export async function walk<T>(
  client: TestClient,
  path: string,
  list: string,
  between: () => Promise<void> = async () => {},
): Promise<T[]> {
  const first = await client.fetch(withLimit(path, 1_000), { headers: ADMIN })
  const { [list]: all = [] } = await first.json<Record<string, T[]>>()
  if (all.length < 4) throw new Error(`${all.length} items are too few for pages`)

  const items: T[] = []
  let next: string | undefined = withLimit(path, Math.ceil(all.length / 4))
  for (let turn = 0; next !== undefined; turn++) {
    if (turn > 0 && turn < 4) await between()
    if (turn > 60) throw new Error('the list does not end')
    const response: Response = await client.fetch(next, { headers: ADMIN })
    const body = await response.json<Record<string, T[]> & { cursor?: string }>()
    items.push(...(body[list] ?? []))
    const link = /^<(.+)>; rel="next"$/.exec(response.headers.get('Link') ?? '')?.[1]
    const cursor = link && new URL(link, 'https://edge.test').searchParams.get('cursor')
    if ((cursor ?? undefined) !== body.cursor) throw new Error(`${link} is not ${body.cursor}`)
    next = link
  }
  return items
}

function withLimit(path: string, limit: number): string {
  return `${path}${path.includes('?') ? '&' : '?'}limit=${limit}`
}
