/** Signed calls of task actions over a fake control plane, or over the app; the answer as parsed. */
import type * as sdk from 'tencentcloud-sdk-nodejs-ckafka/tencentcloud/services/ckafka/v20190819/ckafka_models.js'
import type { ExpectStatic } from 'vitest'
import type { Credential } from '../../../../worker/registry/directory.ts'
import type { TencentDeps } from '../../../../worker/tencent/action.ts'
import { handleTencentRequest } from '../../../../worker/tencent/api.ts'
import { answerOf, type Answer } from '../answer-of.ts'
import { fakeDeps } from '../fake-deps.ts'
import { signedCall, signedQuery } from '../sign.ts'
import { fakeTasks, type FakeTasks } from './fake-tasks.ts'

export type { sdk }

/** An answer with every field of the Node SDK's type; null where the SDK has none. A literal of it can have no other fields. */
export type Whole<T> = T extends readonly (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { [K in keyof T]-?: Whole<NonNullable<T[K]>> | null }
    : T

export type TaskAnswer = Answer & { Result?: unknown }
export type Call = (action: string, parameters: object, expect: ExpectStatic) => Promise<TaskAnswer>

export const CREDENTIAL = { scopes: ['manage'], datahubs: 'all' } as const

export function setUp(
  given: Parameters<typeof fakeTasks>[0] = {},
  overrides: Partial<TencentDeps> & { credential?: Partial<Credential> } = {},
): { tasks: FakeTasks; call: Call; get: Call } {
  const tasks = fakeTasks(given)
  const { deps } = fakeDeps({ control: { tasks }, credential: CREDENTIAL, ...overrides })
  const answered = async (request: Request, expect: ExpectStatic): Promise<TaskAnswer> =>
    answerOf(await handleTencentRequest(request, deps), expect)
  return {
    tasks,
    async call(action, parameters, expect) {
      const headers = { 'X-TC-Action': action }
      return answered(await signedCall(JSON.stringify(parameters), { headers }), expect)
    },
    async get(action, parameters, expect) {
      const headers = { 'X-TC-Action': action }
      const query = new URLSearchParams(Object.entries(parameters)).toString()
      return answered(await signedQuery(query, { headers }), expect)
    },
  }
}

export const OTHER_PARAMS = {
  EventBusParam: null,
  MongoDBParam: null,
  EsParam: null,
  TdwParam: null,
  DtsParam: null,
  ClickHouseParam: null,
  ClsParam: null,
  CosParam: null,
  MySQLParam: null,
  PostgreSQLParam: null,
  MariaDBParam: null,
  SQLServerParam: null,
  CtsdbParam: null,
  ScfParam: null,
  MqttParam: null,
  IcebergParam: null,
}
