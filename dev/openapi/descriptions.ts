/** What the members of the described schemas mean. `document.ts` fails when one is missing here, or here and not there. */
import type { SchemaName } from './schemas.ts'

const NAME = 'Starts with a letter; at most 64 letters, digits, `-`, `.` and `_`. Unique.'
const DESCRIPTION = 'Free text, at most 512 characters.'
const CREATE_TOPIC =
  'Have a relay create the topic when it is not there, with this many partitions or the brokers’ default.'
const QPS_LIMIT = 'POSTs a second that the datahub takes.'
const SCOPES =
  '`send` reports, `query` topics and messages, `manage` datahubs, credentials and schemas.'
const DATAHUBS = '`all`, or ids of datahubs.'
const EXPIRES = 'Unix ms. From then on it is as if it did not exist.'
const FIELDS = '1 to 100; their names differ, and a default fits its type.'
const SCHEMA_NAME = '1 to 64 letters, digits, `-`, `.` and `_`. Unique.'
const CURSOR = 'While there is more: where the next page begins.'
const OFFSET = 'Kafka’s offset; text, because it may exceed 2^53.'

const managed = {
  created: 'Unix ms.',
  changed: 'Unix ms, of the last change.',
  revision: 'Counts the changes. The entity tag begins with it.',
}

const credential = {
  secretId: 'Whom calls are made as.',
  name: 'For people.',
  scopes: SCOPES,
  datahubs: DATAHUBS,
  disabled: 'A disabled one is as if it did not exist.',
  expires: EXPIRES,
  temporary: 'Whether calls need its session token.',
  olderSecrets: 'Until when each older secret is good too, Unix ms; newest first.',
  ...managed,
}

const report = {
  key: 'The record’s key. Leave it out for none; an empty one is a key.',
  value: 'The value as text, stored as UTF-8.',
  json: 'The value as any JSON, stored compact. Numbers beyond 2^53 are refused.',
  base64: 'The value as bytes, padded standard base64.',
  headers: 'Names to text, at most 32. Names that start with `edgehub-` are reserved.',
}

const head = {
  receipt: 'What to ask with, for whoever holds it.',
  count: 'Reports that it stands for.',
}

export interface Described {
  description: string
  /** By member, of the schema itself, of its items and of its alternatives. */
  members?: Readonly<Record<string, string>>
}

/** Schemas of the relay's routes are described by the contract's own comments only. */
export const DESCRIPTIONS: Readonly<Partial<Record<SchemaName, Described>>> = {
  TencentCall: { description: 'The parameters of the action that `X-TC-Action` names.' },
  TencentAnswer: {
    description: 'TencentCloud’s envelope. Its other members belong to the action.',
    members: { Response: 'The answer.' },
  },
  Report: {
    description: 'At most one of value, json and base64; none is a null value.',
    members: report,
  },
  Reports: { description: 'What is sent.', members: { reports: 'Taken whole or not at all.' } },
  ReceiptsQuery: { description: 'Receipts to ask for.', members: { receipts: '1 to 100.' } },
  NewDatahub: {
    description: 'A task to make.',
    members: {
      name: NAME,
      topic: 'Where its reports go. `edgehub-*` and `__*` are reserved.',
      instance: 'This deployment’s, if given.',
      description: DESCRIPTION,
      schemaId: 'What its reports must look like.',
      qpsLimit: QPS_LIMIT,
      createTopic: CREATE_TOPIC,
    },
  },
  DatahubChanges: {
    description: 'What is to be different.',
    members: {
      name: NAME,
      description: DESCRIPTION,
      topic: 'The new target, once a relay has found it fit.',
      createTopic: CREATE_TOPIC,
      schemaId: 'null unbinds.',
      qpsLimit: QPS_LIMIT,
    },
  },
  Datahub: {
    description: 'A task and its access point.',
    members: {
      datahubId: 'What reports are sent to.',
      taskId: 'What TencentCloud’s API calls it.',
      name: NAME,
      description: DESCRIPTION,
      topic: 'Where its reports go.',
      instanceId: 'The Kafka cluster.',
      status: 'TencentCloud’s number of the state.',
      state: 'The same as a word.',
      problem: 'What is wrong with the topic.',
      partitions: 'Of the topic, as a relay found it last.',
      maxMessageBytes:
        'Largest record that the topic takes; absent when it is not known, or relays compress.',
      nextTopic: 'Where its reports will go once a relay has found it fit.',
      nextProblem: 'What is wrong with that one so far.',
      createTopic: CREATE_TOPIC,
      schemaId: 'What its reports must look like.',
      qpsLimit: QPS_LIMIT,
      ...managed,
    },
  },
  Datahubs: { description: 'A page.', members: { datahubs: 'Oldest first.', cursor: CURSOR } },
  NewCredential: {
    description: 'A credential to make.',
    members: {
      name: 'For people, at most 64 characters.',
      scopes: SCOPES,
      datahubs: DATAHUBS,
      expires: EXPIRES,
      sessionToken: 'Make a temporary one, whose calls need a session token too; needs `expires`.',
    },
  },
  CredentialChanges: {
    description: 'What is to be different.',
    members: {
      name: 'For people, at most 64 characters.',
      scopes: SCOPES,
      datahubs: DATAHUBS,
      expires: 'Unix ms; null: it does not expire.',
      disabled: 'A disabled one is as if it did not exist.',
    },
  },
  Rotation: {
    description: 'How a secret is changed.',
    members: { keepSeconds: 'How long the secret of before stays good; 0: it ends at once.' },
  },
  Credential: { description: 'A credential, without its secrets.', members: credential },
  CredentialWithSecrets: {
    description: 'A credential with secrets that are shown this once.',
    members: {
      ...credential,
      secretKey: 'What calls are signed with, or the password of Basic.',
      sessionToken: 'Of a temporary one: sent as `X-TC-Token`.',
    },
  },
  Credentials: {
    description: 'A page.',
    members: { credentials: 'Oldest first.', cursor: CURSOR },
  },
  Resealed: {
    description: 'What was sealed anew.',
    members: {
      resealed: 'Credentials whose secrets were sealed under the key of before.',
      total: 'All credentials.',
    },
  },
  NewSchema: {
    description: 'A schema to make.',
    members: { name: SCHEMA_NAME, fields: FIELDS },
  },
  SchemaChanges: {
    description: 'What is to be different.',
    members: { name: SCHEMA_NAME, fields: FIELDS },
  },
  SchemaField: {
    description: 'A member of the JSON object that a report’s value must be.',
    members: {
      name: 'The member’s name.',
      type: 'Judged by the JSON text: an integer has no fraction and no exponent.',
      allowNull: 'Whether it may be missing or null.',
      default: 'What is written where it is missing. An INT64 beyond 2^53 is given as text.',
    },
  },
  Schema: {
    description: 'A schema.',
    members: {
      schemaId: 'What datahubs name it by.',
      name: SCHEMA_NAME,
      fields: FIELDS,
      datahubs: 'Those that it is bound to.',
      ...managed,
    },
  },
  Schemas: { description: 'A page.', members: { schemas: 'Oldest first.', cursor: CURSOR } },
  AuditLog: { description: 'A page.', members: { entries: 'Newest first.', cursor: CURSOR } },
  Queued: {
    description: 'Reports that are durably queued.',
    members: { ...head, status: 'Always that.' },
  },
  Settled: {
    description: 'An outcome, which is final.',
    members: {
      ...head,
      status: 'Of all reports together.',
      messages: 'One for each report, in order.',
    },
  },
  Receipt: {
    description: 'What is known of reports.',
    members: { ...head, status: '`expired`: it is not remembered any more.' },
  },
  Receipts: { description: 'In the order asked.', members: { receipts: 'One for each.' } },
  Messages: {
    description: 'One message, or a page of them.',
    members: { message: 'The message.', messages: 'In order.', cursor: CURSOR },
  },
  Topics: { description: 'A page.', members: { topics: 'By name.', cursor: CURSOR } },
  Topic: {
    description: 'What a relay knows of a topic.',
    members: {
      topic: 'Its name.',
      partitions: 'How many.',
      replicas: 'Of each partition; of the first one where they differ.',
      id: 'Kafka’s own, where the cluster gives one.',
      partitionStates: `Without \`leader\` when there is none; \`start\` and \`end\` when it said. ${OFFSET}`,
      config: 'With Kafka’s names; absent when the relay may not read it.',
    },
  },
  Live: { description: 'The worker runs.', members: { status: 'Always that.' } },
  Problem: {
    description: 'RFC 9457. Switch on `type`, which is stable.',
    members: {
      type: 'A stable reference.',
      title: 'The same for each type.',
      status: 'The HTTP status.',
      detail: 'For people.',
      path: 'The one place in the request that is to blame, dotted.',
      field: 'The schema’s field that is to blame.',
      reason: 'Why there is no message.',
      start: 'The first offset of the partition.',
      end: 'The first offset that the partition does not have yet.',
      requestId: 'Finds the cause in the worker’s log.',
    },
  },
}
