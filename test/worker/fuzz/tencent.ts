/**
 * Requests to `/`: calls of every action as the SDKs sign them, whose parameters, text and headers were changed before or after; captured
 * requests, changed; and what no client sends.
 */
import * as fc from 'fast-check'
import { ACTIONS } from '../../../worker/tencent/api.ts'
import { captures } from '../tencent/captures.ts'
import { applyHeaders, headerChanges, type HeaderChange } from './headers.ts'
import { HOST, tc3Headers, v1Pairs, type Pairs } from './sign.ts'
import {
  changed,
  changes,
  dotted,
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
import type { World } from './world.ts'

const place = { InstanceId: '@instance', Topic: 'orders', Partition: 0, Offset: 2 }
const list = { InstanceId: '@instance', SearchWord: '', Offset: 0, Limit: 10 }
const kafkaTask = {
  TaskName: 'made',
  TaskType: 'SOURCE',
  SourceResource: { Type: 'HTTP' },
  TargetResource: {
    Type: 'KAFKA',
    KafkaParam: {
      SelfBuilt: false,
      Resource: '@instance',
      Topic: 'orders',
      UseAutoCreateTopic: true,
    },
  },
}
/** Good parameters, to begin with. An action that has none here begins with no parameters. */
const TEMPLATES: Readonly<Record<string, readonly Json[]>> = {
  SendMessage: [
    {
      DataHubId: '@datahub',
      Message: [{ Key: 'k', Body: 'hello' }, { Body: '' }, { Key: '', Body: '{"a":1}' }],
    },
    { DataHubId: '@checked', Message: [{ Body: '{"n":12,"s":"x"}' }] },
    { DataHubId: '@victim', Message: [{ Body: 'a' }] },
  ],
  CreateDatahubTask: [
    kafkaTask,
    {
      ...kafkaTask,
      SchemaId: '@schemaId',
      Description: 'd',
      Tags: [],
      TargetResource: {
        Type: 'TOPIC',
        TopicParam: { Resource: 'orders', CompressionType: 'none' },
      },
    },
  ],
  DescribeDatahubTask: [{ TaskId: '@task' }],
  DescribeDatahubTasks: [
    {
      Limit: 10,
      Offset: 0,
      SearchWord: 'o',
      TargetType: 'KAFKA',
      SourceType: 'HTTP',
      Resource: '',
    },
  ],
  ModifyDatahubTask: [
    { TaskId: '@task', Description: 'changed' },
    { TaskId: '@task', TaskName: 'renamed', Description: 'd', TasksMax: 1 },
  ],
  PauseDatahubTask: [{ TaskId: '@task' }],
  ResumeDatahubTask: [{ TaskId: '@task' }],
  RestartDatahubTask: [{ TaskId: '@task' }],
  DeleteDatahubTask: [{ TaskId: '@task' }],
  FetchMessageByOffset: [place],
  FetchMessageListByOffset: [{ ...place, SinglePartitionRecordNumber: 5 }],
  FetchMessageListByTimestamp: [
    {
      InstanceId: '@instance',
      Topic: 'orders',
      Partition: 0,
      StartTime: 1_704_790_596_000,
      SinglePartitionRecordNumber: 5,
    },
  ],
  DescribeTopic: [list],
  DescribeTopicDetail: [
    {
      ...list,
      OrderBy: 'PartitionNum',
      OrderType: 1,
      Filters: [{ Name: 'ReplicaNum', Values: ['3'] }],
    },
  ],
  DescribeInstances: [{ ...list, Status: [1] }],
}

export const TRANSPORTS = ['json', 'unsigned json', 'tc3 get', 'v1 get', 'v1 form'] as const

interface Call {
  kind: 'call'
  transport: (typeof TRANSPORTS)[number]
  action: string
  parameters: Json
  changes: Change[]
  /** Before the signature is made, or after. */
  text: TextChange
  late: boolean
  /** Names of a query in the place of those of the tree. */
  names: [at: number, name: string][]
  plus: boolean
  sha1: boolean
  caller: number
  headers: HeaderChange[]
}

interface Captured {
  kind: 'captured'
  index: number
  text: TextChange
  target: TextChange
  headers: HeaderChange[]
}

interface Other {
  kind: 'other'
  method: string
  query: string
  headers: HeaderChange[]
  body: string
}

export type TencentCase = Call | Captured | Other

/** With all of its parameters it begins with one of the templates of its action. */
const actionAndParameters = fc.oneof(
  {
    weight: 15,
    arbitrary: fc.constantFrom(...ACTIONS.keys()).chain((action) =>
      fc.record({
        action: fc.constant(action),
        parameters: fc.constantFrom(...(TEMPLATES[action] ?? [{}])),
      }),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      action: fc.constant('SendMessage'),
      parameters: fc.constantFrom(...(TEMPLATES['SendMessage'] ?? [])),
    }),
  },
  // Names that HTTP headers can carry.
  {
    weight: 1,
    arbitrary: fc.record({
      action: fc.constantFrom(
        'sendMessage',
        'CreateTopic',
        '__proto__',
        'constructor',
        ' SendMessage',
        'a'.repeat(3_000),
      ),
      parameters: fc.constant<Json>({}),
    }),
  },
)

const dottedName = fc.oneof(
  fc.constantFrom(
    ...[
      '__proto__',
      'Message.__proto__.Body',
      'Message.0.__proto__',
      'Message.7.Body',
      'Message.9999.Body',
      'Message.10000.Body',
    ],
    ...[
      'Message.99999999999999999999.Body',
      'Message.01.Body',
      'Message..Body',
      '.',
      'Message.',
      'Message',
      'Message.0',
      '0',
      'a_b',
    ],
    ...[
      'Message.-1.Body',
      'Message.1e3.Body',
      'Message.x.Body',
      'a.'.repeat(30),
      'Signature',
      'SecretId',
      'Action',
      'constructor',
    ],
  ),
  hostileText,
)

const call: fc.Arbitrary<Call> = actionAndParameters.chain(({ action, parameters }) =>
  fc.record({
    kind: fc.constant('call' as const),
    transport: fc.oneof(
      { weight: 5, arbitrary: fc.constant('json' as const) },
      { weight: 4, arbitrary: fc.constantFrom(...TRANSPORTS) },
    ),
    action: fc.constant(action),
    parameters: fc.constant(parameters),
    changes,
    text: textChange,
    late: fc.boolean(),
    names: fc.array(fc.tuple(fc.nat(10), dottedName), { maxLength: 2 }),
    plus: fc.boolean(),
    sha1: fc.boolean(),
    caller: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2) }),
    headers: headerChanges,
  }),
)

const captured: fc.Arbitrary<Captured> = fc.record({
  kind: fc.constant('captured' as const),
  index: fc.nat(captures.length - 1),
  text: textChange,
  target: textChange,
  headers: headerChanges,
})

const other: fc.Arbitrary<Other> = fc.record({
  kind: fc.constant('other' as const),
  method: fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  query: fc.oneof(
    fc.constantFrom(
      '',
      '?',
      '?Action=SendMessage',
      '?Signature=x',
      '?Signature=&Action=',
      '?a=%',
      '?%zz=%ff',
      '?&&&=',
      '?a=1&a=2',
      '?#',
    ),
    fc.string({ maxLength: 40 }).map((text) => `?${text}`),
  ),
  headers: headerChanges,
  body: fc.oneof(
    fc.constantFrom(
      '',
      '{}',
      'null',
      '[]',
      'Action=SendMessage&Signature=x&SecretId=a',
      '--x\r\n\r\n',
    ),
    fc.string(),
  ),
})

export const tencentCase: fc.Arbitrary<TencentCase> = fc.oneof(
  { weight: 16, arbitrary: call },
  { weight: 2, arbitrary: captured },
  { weight: 2, arbitrary: other },
)

/** @throws TypeError for what can't be an HTTP request */
export async function tencentRequest(which: TencentCase, world: World): Promise<Request> {
  switch (which.kind) {
    case 'call':
      return callRequest(which, world)
    case 'captured':
      return capturedRequest(which)
    case 'other': {
      const headers = new Headers()
      applyHeaders(headers, which.headers)
      return requestOf(which.method, `/${which.query}`, headers, utf8(which.body))
    }
  }
}

async function callRequest(which: Call, { callers, names }: World): Promise<Request> {
  const caller = callers[which.caller % callers.length] ?? { secretId: '', secretKey: '' }
  const { action, transport, text, late } = which
  const tree = changed(named(which.parameters, names), which.changes)
  const before = late ? ({ how: 'none' } as const) : text
  const after = late ? text : ({ how: 'none' } as const)

  if (transport === 'json' || transport === 'unsigned json') {
    const body = withTextChange(utf8(jsonText(tree)), before)
    const headers = new Headers(
      await tc3Headers(caller, action, {
        method: 'POST',
        rawQuery: '',
        body,
        contentType: 'application/json',
        unsignedPayload: transport === 'unsigned json',
      }),
    )
    applyHeaders(headers, which.headers)
    return requestOf('POST', '/', headers, withTextChange(body, after))
  }

  const pairs = dotted(tree)
  for (const [at, name] of which.names) {
    const pair = pairs[at]
    if (pair) pair[0] = name
  }
  if (transport === 'tc3 get') {
    const query = queryOf(withText(formOf(pairs, which.plus), before))
    const contentType = 'application/x-www-form-urlencoded'
    const headers = new Headers(
      await tc3Headers(caller, action, {
        method: 'GET',
        rawQuery: query,
        body: new Uint8Array(),
        contentType,
        unsignedPayload: false,
      }),
    )
    applyHeaders(headers, which.headers)
    return requestOf('GET', `/?${withText(query, after)}`, headers, new Uint8Array())
  }

  const method = transport === 'v1 get' ? 'GET' : 'POST'
  const form = withText(
    formOf(await v1Pairs(caller, action, { method, pairs, sha1: which.sha1 }), which.plus),
    text,
  )
  const headers = new Headers({ host: HOST, 'content-type': 'application/x-www-form-urlencoded' })
  applyHeaders(headers, which.headers)
  return method === 'GET'
    ? requestOf('GET', `/?${form}`, headers, new Uint8Array())
    : requestOf('POST', '/', headers, utf8(form))
}

function capturedRequest({ index, text, target, headers: list }: Captured): Request {
  const capture = captures[index % captures.length]
  if (!capture) throw new Error('there are no captures')
  const headers = new Headers(
    capture.headers.filter(([name]) => name.toLowerCase() !== 'content-length'),
  )
  applyHeaders(headers, list)
  const query = withText(capture.target.replace(/^[^?]*\??/, ''), target)
  return requestOf(capture.method, `/?${query}`, headers, withTextChange(capture.body, text))
}

export function requestOf(
  method: string,
  target: string,
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
): Request {
  const takesBody = method !== 'GET' && method !== 'HEAD' && body.length > 0
  return new Request(`https://${HOST}${target}`, {
    method,
    headers,
    redirect: 'manual',
    ...(takesBody && { body }),
  })
}

function formOf(pairs: Pairs, plus: boolean): string {
  const encode = (text: string): string => {
    const encoded = encodeURIComponent(text.toWellFormed())
    return plus ? encoded.replaceAll('%20', '+') : encoded
  }
  return pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&')
}

/** As the server gets to see it. */
function queryOf(text: string): string {
  return /\?([^#]*)/.exec(new Request(`https://${HOST}/?${text}`).url)?.[1] ?? ''
}

/** A query is text: bytes that are none become U+FFFD. */
function withText(text: string, change: TextChange): string {
  return new TextDecoder().decode(withTextChange(utf8(text), change))
}
