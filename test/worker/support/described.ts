/**
 * Holds an answer of the app against its description: the status is one that is described, the body fits its schema with no member more,
 * a problem is one of those that are named for the route. A route that the table does not have is left alone.
 */
import * as z from 'zod/mini'
import { problemsOf } from '../../../dev/openapi/document.ts'
import type { Operation } from '../../../dev/openapi/operation.ts'
import { OPERATIONS } from '../../../dev/openapi/operations.ts'
import { problemKind } from '../../../dev/openapi/problems.ts'
import { ANSWERS, type SchemaName } from '../../../dev/openapi/schemas.ts'

const ROUTES = Object.entries(OPERATIONS).map(([route, operation]) => {
  const [method = '', path = ''] = route.split(' ')
  const pattern = path.replaceAll(/\{\w+\}/g, '[^/]+')
  return { route, method, path, operation, regex: new RegExp(`^${pattern}$`) }
})

/** @throws when the answer is not described */
export async function expectDescribed(
  method: string,
  url: string,
  response: Response,
): Promise<void> {
  const { pathname } = new URL(url, 'https://edge.test')
  // Of two that fit, the one without a parameter there: it is the one that the app takes.
  const [found] = ROUTES.filter((r) => r.method === method && r.regex.test(pathname)).sort(
    (a, b) => a.path.split('{').length - b.path.split('{').length,
  )
  if (!found) return
  const { route, path, operation } = found
  // A WebSocket has no body, and its answer can't be cloned.
  if (response.status === 101 && operation.answers[101]) return
  const problem = await problemWith(path, operation, response.clone())
  if (problem) throw new Error(`${route} answered ${response.status}: ${problem}`)
}

async function problemWith(
  path: string,
  operation: Operation,
  response: Response,
): Promise<string | undefined> {
  const { status, headers } = response
  const answer = operation.answers[status]
  if (!answer) {
    const { type } = await response.json<{ type?: string }>()
    const kinds = problemsOf(path, operation).map(problemKind)
    return kinds.some((kind) => kind.type === type && kind.status === status)
      ? undefined
      : `${type} is not described`
  }
  for (const name of answer.headers ?? []) {
    if ((name === 'ETag' || name === 'Location') && !headers.has(name)) return `no ${name}`
  }
  if (!answer.schema) return (await response.text()) === '' ? undefined : 'a body is not described'
  const schema = isAnswer(answer.schema) ? ANSWERS[answer.schema] : undefined
  const parsed = schema?.safeParse(await response.json())
  return parsed?.success ? undefined : z.prettifyError(parsed?.error ?? new z.core.$ZodError([]))
}

function isAnswer(name: SchemaName): name is keyof typeof ANSWERS {
  return name in ANSWERS
}
