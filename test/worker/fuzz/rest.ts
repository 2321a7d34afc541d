/** Requests to the routes of the route table, and to addresses near them, by callers of every kind. */
import * as fc from 'fast-check'
import { ROUTES } from '../../../worker/app.ts'
import { applyHeaders, headerChanges, type HeaderChange } from './headers.ts'
import { requestOf } from './tencent.ts'
import {
  changed,
  changes,
  hostileText,
  jsonText,
  named,
  textChange,
  utf8,
  withTextChange,
  type Change,
  type Json,
  type TextChange,
} from './values.ts'
import { ADMIN_TOKEN, RELAY_TOKEN, type World } from './world.ts'

const id = 'AAAAAAAAAAAAAAAA'
/** Good bodies, to begin with, by method and path. A route that has none here begins with an empty object. */
const BODIES: Readonly<Record<string, Json>> = {
  'POST /v1/datahubs/:datahub/reports': {
    reports: [
      { key: 'k', value: 'v', headers: { a: 'b' } },
      { json: { n: 1, s: 'x' } },
      { base64: 'AAE=' },
      {},
    ],
  },
  'POST /v1/receipts/query': { receipts: ['@receipt'] },
  'POST /v1/datahubs': {
    name: 'made',
    topic: 'orders',
    description: 'd',
    schemaId: '@schemaId',
    qpsLimit: 10,
    createTopic: { partitions: 3 },
  },
  'PATCH /v1/datahubs/:datahub': {
    name: 'new',
    description: 'd',
    topic: 'orders',
    schemaId: null,
    qpsLimit: 10,
  },
  'POST /v1/credentials': {
    name: 'n',
    scopes: ['send', 'query'],
    datahubs: ['@datahub'],
    expires: 4_000_000_000_000,
    sessionToken: true,
  },
  'PATCH /v1/credentials/:secretId': {
    name: 'n',
    scopes: ['send'],
    datahubs: 'all',
    expires: null,
    disabled: false,
  },
  'POST /v1/credentials/:secretId/rotate': { keepSeconds: 60 },
  'POST /v1/schemas': {
    name: 's',
    fields: [{ name: 'n', type: 'INT64', allowNull: false, default: '9007199254740993' }],
  },
  'PATCH /v1/schemas/:schemaId': {
    name: 's',
    fields: [{ name: 'n', type: 'FLOAT32', default: 1.5 }],
  },
  'POST /internal/outcomes': {
    outcomes: [
      {
        id,
        outcome: {
          datahub: '@datahub',
          topic: 'orders',
          received: 1,
          sent: 2,
          runs: [[1, 0, '1']],
        },
      },
    ],
  },
  'POST /internal/lookups': { ids: [id] },
}

const QUERY_NAMES = [
  ...[
    'wait',
    'limit',
    'cursor',
    'name',
    'target',
    'topic',
    'partition',
    'offset',
    'from',
    'messageId',
    'x',
    '__proto__',
    'search',
  ],
]
const queryValue = fc.oneof(
  fc.constantFrom(
    ...[
      '0',
      '1',
      '5',
      '25',
      '-1',
      '1001',
      'orders',
      '2024-01-09T00:00:00Z',
      '1704790596000',
      'eyJ9',
      'WzEsMiwzXQ',
      'latest',
      'earliest',
    ],
    ...[
      'datahub-aaaaaaaa:orders:0:1:1:1',
      'WzEsImRhdGFodWJzIiwxLCJhIl0',
      'WzEsImRhdGFodWJzIiwxZTMwOCwiIl0',
      'bnVsbA',
    ],
  ),
  hostileText,
)

/** `/` is another fuzz's. */
const REST_ROUTES = ROUTES.filter(([, path]) => path !== '/')

const CALLERS = ['admin', 'relay', 'basic 0', 'basic 1', 'basic 2', 'wrong key', 'none'] as const

export interface RestCase {
  route: number
  method: string | undefined
  /** In the place of a good parameter of the path. */
  parameter: string | undefined
  caller: (typeof CALLERS)[number]
  query: [string, string][]
  changes: Change[]
  text: TextChange
  contentType: string | undefined
  ifMatch: string | undefined
  headers: HeaderChange[]
  /** Behind the path. */
  tail: string
}

export const restCase: fc.Arbitrary<RestCase> = fc.record({
  route: fc.nat(REST_ROUTES.length - 1),
  method: fc.oneof(
    { weight: 12, arbitrary: fc.constant<string | undefined>(undefined) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    },
  ),
  parameter: fc.oneof(
    { weight: 4, arbitrary: fc.constant<string | undefined>(undefined) },
    { weight: 1, arbitrary: hostileText },
  ),
  caller: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('admin' as const, 'basic 0' as const) },
    { weight: 3, arbitrary: fc.constantFrom(...CALLERS) },
  ),
  query: fc.oneof(
    { weight: 2, arbitrary: fc.constant<[string, string][]>([]) },
    {
      weight: 3,
      arbitrary: fc.array(fc.tuple(fc.constantFrom(...QUERY_NAMES), queryValue), { maxLength: 4 }),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(queryValue, queryValue).map(([offset, from]): [string, string][] => [
        ['topic', 'orders'],
        ...(offset.length > 4
          ? [['from', from] as [string, string]]
          : ([
              ['partition', '0'],
              ['offset', offset],
            ] as [string, string][])),
      ]),
    },
  ),
  changes,
  text: textChange,
  contentType: fc.oneof(
    { weight: 10, arbitrary: fc.constant('application/json') },
    {
      weight: 1,
      arbitrary: fc.constantFrom<string | undefined>(
        undefined,
        'application/merge-patch+json',
        'text/plain',
        'application/json;charset=utf-16',
        'application/jsonx',
      ),
    },
  ),
  ifMatch: fc.oneof(
    { weight: 6, arbitrary: fc.constant<string | undefined>(undefined) },
    { weight: 1, arbitrary: fc.constantFrom('"0"', '"1"', '"2-abc", "3"', 'W/"1"', '*', '""') },
  ),
  headers: headerChanges,
  tail: fc.oneof(
    { weight: 20, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.constantFrom('/', '//', '/x', '%2f', '%', '%ff', ';a') },
  ),
})

export function routeOf({ route }: RestCase): (typeof ROUTES)[number] {
  const found = REST_ROUTES[route % REST_ROUTES.length]
  if (!found) throw new Error('there are no routes')
  return found
}

/** @throws TypeError for what can't be an HTTP request */
export function restRequest(which: RestCase, { callers, names }: World): Request {
  const [routeMethod, path] = routeOf(which)
  const method = which.method ?? routeMethod
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) =>
    encoded(which.parameter ?? parameterOf(name, method, path, names)),
  )
  const query = which.query.map(([name, value]) => `${name}=${encoded(value)}`).join('&')

  const headers = new Headers()
  const isInternal = path.startsWith('/internal/') && which.caller === 'basic 0'
  const authorization = authorizationOf(isInternal ? 'relay' : which.caller, callers)
  if (authorization !== undefined) headers.set('Authorization', authorization)
  const token = which.caller === 'basic 2' ? callers[2]?.sessionToken : undefined
  if (token !== undefined) headers.set('X-TC-Token', token)
  if (which.ifMatch !== undefined) headers.set('If-Match', which.ifMatch)
  if (which.contentType !== undefined) headers.set('Content-Type', which.contentType)
  applyHeaders(headers, which.headers)
  const body = jsonText(
    changed(named(BODIES[`${routeMethod} ${path}`] ?? {}, names), which.changes),
  )
  const target = `${filled}${which.tail}${query === '' ? '' : `?${query}`}`
  return requestOf(method, target, headers, withTextChange(utf8(body), which.text))
}

/** What is changed or deleted is not what others send to. */
function parameterOf(
  name: string,
  method: string,
  path: string,
  names: Readonly<Record<string, string>>,
): string {
  switch (name) {
    case 'datahub':
      return names[path.endsWith('/reports') || method === 'GET' ? '@datahub' : '@victim'] ?? ''
    case 'schemaId':
      return names[method === 'DELETE' ? '@spare' : '@schemaId'] ?? ''
    case 'topic':
      return 'orders'
    case 'object':
      return `${id}-${'0'.repeat(64)}`
    default:
      return names[`@${name}`] ?? ''
  }
}

function authorizationOf(
  caller: RestCase['caller'],
  callers: World['callers'],
): string | undefined {
  switch (caller) {
    case 'admin':
      return `Bearer ${ADMIN_TOKEN}`
    case 'relay':
      return `Bearer ${RELAY_TOKEN}`
    case 'none':
      return undefined
    case 'wrong key':
      return `Basic ${btoa(`${callers[0]?.secretId}:wrong`)}`
    case 'basic 0':
    case 'basic 1':
    case 'basic 2': {
      const { secretId = '', secretKey = '' } = callers[Number(caller.slice(-1))] ?? {}
      return `Basic ${btoa(`${secretId}:${secretKey}`)}`
    }
  }
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
