/**
 * The description of the HTTP interface as OpenAPI 3.1: schemas by `z.toJSONSchema` from what validates the requests, routes from
 * `operations.ts`. Pure; the same sources give the same text.
 */
import * as z from 'zod/mini'
import { DESCRIPTIONS, type Described } from './descriptions.ts'
import { EXAMPLES } from './examples.ts'
import { TAGS, type Answer, type AnswerHeader, type Caller, type Operation } from './operation.ts'
import { OPERATIONS } from './operations.ts'
import { PATH_PARAMETERS } from './parameters.ts'
import { problemExample, problemKind, type Reason } from './problems.ts'
import { ANSWERS, REQUESTS, type SchemaName } from './schemas.ts'

type Json = Readonly<Record<string, unknown>>

const refTo = (name: string): string => `#/components/schemas/${name}`

export function openApi(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Edgehub',
      version: '1',
      description:
        'Durable, verifiable access to Apache Kafka. Every answer carries `X-Request-Id`. Where GET is, HEAD is. Errors are problem details (RFC 9457), except at `/`, which answers in TencentCloud’s envelope.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This deployment.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: paths(),
    components: {
      securitySchemes: {
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'A SecretId and its SecretKey; of a temporary credential `X-TC-Token` too.',
        },
        admin: { type: 'http', scheme: 'bearer', description: 'The deployment’s ADMIN_TOKEN.' },
        relay: { type: 'http', scheme: 'bearer', description: 'The deployment’s RELAY_TOKEN.' },
        tencent: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description:
            'TC3-HMAC-SHA256, as TencentCloud’s SDKs sign. Signature v1 stands in the parameters instead.',
        },
      },
      schemas: schemas(),
    },
  }
}

function paths(): Json {
  const all: Record<string, Record<string, unknown>> = {}
  for (const [route, operation] of Object.entries(OPERATIONS)) {
    const [method = '', path = ''] = route.split(' ')
    all[path] = { ...all[path], [method.toLowerCase()]: describe(path, operation) }
  }
  return all
}

function describe(path: string, operation: Operation): Json {
  const { id, tag, caller, summary, description, parameters = [], body } = operation
  const all = [...pathParameters(path), ...parameters]
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: SECURITY[caller],
    ...(all.length > 0 && { parameters: all }),
    ...(body && { requestBody: requestBody(body) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, response(answer)]),
      ),
      ...problemResponses(problemsOf(path, operation)),
    },
  }
}

const SECURITY: Record<Caller, readonly Json[]> = {
  anyone: [],
  signed: [{ tencent: [] }],
  send: [{ basic: [] }],
  adminOrQuery: [{ admin: [] }, { basic: [] }],
  adminOrManage: [{ admin: [] }, { basic: [] }],
  admin: [{ admin: [] }],
  relay: [{ relay: [] }],
}

/** What any route of the caller's may be refused for. */
const OF_CALLER: Record<Caller, readonly Reason[]> = {
  anyone: [],
  signed: [],
  send: ['unauthenticated', 'forbidden'],
  adminOrQuery: ['unauthenticated', 'forbidden', 'rate_limited'],
  adminOrManage: ['unauthenticated', 'forbidden', 'rate_limited'],
  admin: ['unauthenticated'],
  relay: ['unauthenticated'],
}

/** Why a route refuses, each reason once. `/` has an envelope of its own for all of them. */
export function problemsOf(path: string, { caller, problems }: Operation): Reason[] {
  if (path === '/') return []
  const limited: Reason[] = path === '/livez' ? [] : ['address_rate_limited']
  const faults: Reason[] = path === '/livez' ? ['internal'] : ['unavailable', 'internal']
  return [...new Set([...OF_CALLER[caller], ...problems, ...limited, ...faults])]
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => {
    const known = PATH_PARAMETERS[name]
    if (!known) throw new Error(`the path parameter ${name} is not described`)
    const { description, pattern } = known
    const schema = { type: 'string', ...(pattern !== undefined && { pattern }) }
    return { name, in: 'path', required: true, description, schema }
  })
}

function requestBody({ schema, example, optional, patch }: NonNullable<Operation['body']>): Json {
  const content = { schema: { $ref: refTo(schema) }, example }
  return {
    required: optional !== true,
    content: {
      'application/json': content,
      ...(patch && { 'application/merge-patch+json': content }),
    },
  }
}

const HEADERS: Record<AnswerHeader, string> = {
  ETag: 'Of the thing as it is shown. Begins with its revision.',
  Location: 'Where it is.',
  Link: 'With `rel="next"` while there is more.',
  'Preference-Applied': 'When the outcome came in time.',
  'Idempotent-Replayed': '`true` when the key had its outcome before.',
}

function response({ description, schema, headers = [] }: Answer): Json {
  return {
    description,
    ...(headers.length > 0 && {
      headers: Object.fromEntries(
        headers.map((name) => [name, { description: HEADERS[name], schema: { type: 'string' } }]),
      ),
    }),
    ...(schema && {
      content: {
        'application/json': {
          schema: { $ref: refTo(schema) },
          ...(isExample(schema) && { example: EXAMPLES[schema] }),
        },
      },
    }),
  }
}

function problemResponses(reasons: readonly Reason[]): Json {
  const byStatus = Map.groupBy(reasons, (reason) => problemKind(reason).status)
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => {
      const kinds = of.map(problemKind)
      const content = {
        schema: { $ref: refTo('Problem') },
        examples: Object.fromEntries(of.map((each) => [each, { value: problemExample(each) }])),
      }
      return [
        status,
        {
          description: kinds.map(({ type, title }) => `\`${type}\`: ${title}.`).join('\n\n'),
          content: { 'application/problem+json': content },
        },
      ]
    }),
  )
}

function schemas(): Json {
  const all = { ...toSchemas(REQUESTS, 'input'), ...toSchemas(ANSWERS, 'output') }
  const undescribed = Object.keys(all).filter((name) => !INTERNAL.has(name) && !isDescribed(name))
  if (undescribed.length > 0) throw new Error(`not described: ${undescribed.join(', ')}`)
  return all
}

/** Of the relay's routes. */
const INTERNAL: ReadonlySet<string> = new Set<SchemaName>([
  'OutcomesRequest',
  'OutcomesResponse',
  'LookupsRequest',
  'LookupsResponse',
  'EnvelopeRecords',
])

const isExample = (name: string): name is keyof typeof EXAMPLES => name in EXAMPLES
const isDescribed = (name: string): name is SchemaName => name in DESCRIPTIONS

function toSchemas(
  from: Readonly<Record<string, z.ZodMiniType>>,
  io: 'input' | 'output',
): Record<string, Json> {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(from)) registry.add(schema, { id })
  const made = z.toJSONSchema(registry, {
    io,
    uri: refTo,
    unrepresentable: 'any',
    override({ jsonSchema }) {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      // A tuple by its bounds: makers of clients stumble over `items: false`.
      if (jsonSchema.prefixItems && jsonSchema.items === false) {
        delete jsonSchema.items
        jsonSchema.minItems = jsonSchema.maxItems = jsonSchema.prefixItems.length
      }
      // Members may be added to answers; to requests not, because those would be refused.
      if (io === 'output' && jsonSchema.additionalProperties === false) {
        delete jsonSchema.additionalProperties
      }
    },
  })
  return Object.fromEntries(
    Object.entries(made.schemas).map(([name, { $id: _id, $schema: _dialect, ...schema }]) => {
      const described = isDescribed(name) ? DESCRIPTIONS[name] : undefined
      return [name, described ? withDescriptions(name, schema, described) : schema]
    }),
  )
}

/** @throws when a member is not described, or a description has no member */
function withDescriptions(name: string, schema: Json, described: Described): Json {
  const members = described.members ?? {}
  const unused = new Set(Object.keys(members))
  const full = describeMembers(schema, name, members, unused)
  if (unused.size > 0) throw new Error(`${name} has no ${[...unused].join(', ')}`)
  return { description: described.description, ...full }
}

function describeMembers(
  schema: Json,
  name: string,
  members: Readonly<Record<string, string>>,
  unused: Set<string>,
): Json {
  const { properties, anyOf } = schema
  if (Array.isArray(anyOf)) {
    return {
      ...schema,
      anyOf: anyOf.map((each: Json) => describeMembers(each, name, members, unused)),
    }
  }
  if (typeof properties !== 'object' || properties === null) return schema
  const described = Object.entries(properties).map(([member, of]: [string, Json]) => {
    const description = members[member]
    if (description === undefined) throw new Error(`${name}.${member} is not described`)
    unused.delete(member)
    return [member, { description, ...of }]
  })
  return { ...schema, properties: Object.fromEntries(described) }
}
