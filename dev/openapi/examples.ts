/** An example of each answer that the page shows; a test holds them to their schemas. */
import { problemExample, type Reason } from './problems.ts'
import type { ANSWERS } from './schemas.ts'

const receipt = 'AaDEUGwAAAECAwQFBgcICQoLAAAAAwAAAABYM7zJRVQ'
const at = 1_790_000_000_000
const managed = { created: at, changed: at + 60_000, revision: 2 }

const datahub = {
  datahubId: 'datahub-abcdefgh',
  taskId: 'task-abcdefgh',
  name: 'orders',
  description: '',
  topic: 'orders',
  instanceId: 'ckafka-abcdefgh',
  status: 1,
  state: 'running',
  partitions: 12,
  maxMessageBytes: 1_048_588,
  qpsLimit: 2_000,
  ...managed,
}

const secretId = 'AKIDabcdefghijklmnopqrst0123456789ab'
const credential = {
  secretId,
  name: 'web shop',
  scopes: ['send'],
  datahubs: ['datahub-abcdefgh'],
  disabled: false,
  temporary: false,
  olderSecrets: [],
  ...managed,
}

const schema = {
  schemaId: 'schema-abcdefgh',
  name: 'order',
  fields: [
    { name: 'id', type: 'INT64', allowNull: false },
    { name: 'paid', type: 'BOOLEAN', allowNull: true, default: false },
  ],
  datahubs: ['datahub-abcdefgh'],
  ...managed,
}

const settled = {
  receipt,
  count: 2,
  status: 'partial',
  messages: [
    {
      status: 'delivered',
      messageId: `datahub-abcdefgh:orders:4:2:${at}:${at + 123}`,
      partition: 4,
      offset: '2',
    },
    { status: 'failed', reason: 'record_too_large' },
  ],
}

const message = {
  topic: 'orders',
  partition: 4,
  offset: '2',
  timestamp: at + 123,
  key: 'k1',
  value: 'hello',
  headers: [{ name: 'source', value: 'web' }],
}

const topic = { topic: 'orders', partitions: 12, replicas: 3 }
const cursor = 'WzEsImRhdGFodWJzIiwxNzkwMDAwMDAwMDAwLCJkYXRhaHViLWFiY2RlZmdoIl0'
const problem: Reason = 'datahub_not_found'

export const EXAMPLES: Readonly<Partial<Record<keyof typeof ANSWERS, unknown>>> = {
  Datahub: datahub,
  Datahubs: { datahubs: [datahub], cursor },
  Credential: credential,
  Credentials: { credentials: [credential] },
  CredentialWithSecrets: { ...credential, secretKey: 'abcdefghijklmnopqrstuvwxyz012345' },
  Resealed: { resealed: 3, total: 3 },
  Schema: schema,
  Schemas: { schemas: [schema] },
  AuditLog: {
    entries: [
      { id: 7, at, by: secretId, action: 'task.pause', target: 'datahub-abcdefgh', detail: {} },
    ],
  },
  Queued: { receipt, count: 2, status: 'queued' },
  Settled: settled,
  Receipt: settled,
  Receipts: { receipts: [settled] },
  Messages: { messages: [message] },
  Topics: { topics: [topic] },
  Topic: {
    ...topic,
    partitionStates: [{ partition: 0, leader: 1, replicas: 3, inSync: 3, start: '40', end: '99' }],
    config: { 'retention.ms': '604800000' },
  },
  TencentAnswer: {
    Response: {
      MessageId: [`datahub-abcdefgh:orders:4:2:${at}:${at + 123}`],
      RequestId: 'a6b2ab34-4b0c-4d7d-9a4f-1d2c8f3f7a55',
    },
  },
  Live: { status: 'ok' },
  Problem: problemExample(problem),
}
