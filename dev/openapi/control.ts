/** The control plane's routes: datahubs, credentials, schemas, the audit log. */
import { BODY, CONDITION, PAGE, type Answer, type Operation, type Operations } from './operation.ts'
import { ifMatch, ifNoneMatch, page, sessionToken } from './parameters.ts'
import type { Reason } from './problems.ts'
import type { SchemaName } from './schemas.ts'

type Tag = 'Datahubs' | 'Credentials' | 'Schemas'

function list(tag: Tag, id: string, schema: SchemaName, filters: Operation['parameters'] = []) {
  return {
    id,
    tag,
    caller: 'adminOrManage',
    summary: `List ${tag.toLowerCase()}`,
    description: 'Oldest first; those that the caller may manage.',
    parameters: [...filters, ...page, sessionToken],
    answers: { 200: { description: 'A page.', schema, headers: ['Link'] } },
    problems: PAGE,
  } satisfies Operation
}

function get(tag: Tag, id: string, schema: SchemaName, absent: Reason) {
  return {
    id,
    tag,
    caller: 'adminOrManage',
    summary: `Get a ${tag.toLowerCase().slice(0, -1)}`,
    parameters: [ifNoneMatch, sessionToken],
    answers: {
      200: { description: 'As it is now.', schema, headers: ['ETag'] },
      304: { description: 'As the client has it.', headers: ['ETag'] },
    },
    problems: [absent, 'invalid_header'],
  } satisfies Operation
}

const changing = {
  caller: 'adminOrManage',
  parameters: [ifMatch, sessionToken],
} as const

function now(schema: SchemaName, description = 'As it is now.'): Answer {
  return { description, schema, headers: ['ETag'] }
}

function action(id: string, summary: string, description: string): Operation {
  return {
    ...changing,
    id,
    tag: 'Datahubs',
    summary,
    description,
    answers: { 200: now('Datahub') },
    problems: [...CONDITION, 'datahub_not_found', 'task_state_conflict'],
  }
}

const FIELDS = [
  { name: 'id', type: 'INT64', allowNull: false },
  { name: 'paid', type: 'BOOLEAN', default: false },
]

export const CONTROL: Operations = {
  'GET /v1/datahubs': list('Datahubs', 'listDatahubs', 'Datahubs', [
    {
      name: 'name',
      in: 'query',
      description: 'Only those whose name contains this.',
      schema: { type: 'string' },
    },
  ]),
  'POST /v1/datahubs': {
    id: 'createDatahub',
    tag: 'Datahubs',
    caller: 'adminOrManage',
    summary: 'Make a task and its access point',
    description:
      'Status 0 until a relay has looked at the topic; then 1, or -1 with the problem. A credential needs all datahubs for it.',
    parameters: [sessionToken],
    body: { schema: 'NewDatahub', example: { name: 'orders', topic: 'orders' } },
    answers: {
      201: {
        description: 'It is made.',
        schema: 'Datahub',
        headers: ['ETag', 'Location'],
      },
    },
    problems: [...BODY, 'name_taken', 'quota_exceeded', 'schema_not_found'],
  },
  'GET /v1/datahubs/{datahub}': get('Datahubs', 'getDatahub', 'Datahub', 'datahub_not_found'),
  'PATCH /v1/datahubs/{datahub}': {
    ...changing,
    id: 'changeDatahub',
    tag: 'Datahubs',
    summary: 'Change a datahub',
    description:
      'JSON Merge Patch: what is left out stays. Another `topic` takes over once a relay has found it fit; until then it is `nextTopic`.',
    body: {
      schema: 'DatahubChanges',
      example: { topic: 'orders-2', schemaId: null },
      patch: true,
    },
    answers: { 200: now('Datahub') },
    problems: [
      ...BODY,
      ...CONDITION,
      'datahub_not_found',
      'name_taken',
      'schema_not_found',
      'task_state_conflict',
    ],
  },
  'DELETE /v1/datahubs/{datahub}': {
    ...changing,
    id: 'deleteDatahub',
    tag: 'Datahubs',
    summary: 'Delete a datahub',
    description:
      'For good; its ids are never used again, its name may be. What was accepted is still delivered, and the topic is not touched.',
    answers: { 202: now('Datahub', 'It is deleting, and gone within 15 s.') },
    problems: [...CONDITION, 'datahub_not_found', 'task_state_conflict'],
  },
  'POST /v1/datahubs/{datahub}/pause': action(
    'pauseDatahub',
    'Pause a task',
    'No reports are taken any more, everywhere within 15 s. What was accepted before is still delivered.',
  ),
  'POST /v1/datahubs/{datahub}/resume': action(
    'resumeDatahub',
    'Resume a task',
    'Reports are taken again, everywhere within 15 s.',
  ),
  'POST /v1/datahubs/{datahub}/restart': action(
    'restartDatahub',
    'Restart a task',
    'A relay looks at the topic anew; status 0 until then.',
  ),

  'GET /v1/credentials': list('Credentials', 'listCredentials', 'Credentials'),
  'POST /v1/credentials': {
    id: 'createCredential',
    tag: 'Credentials',
    caller: 'adminOrManage',
    summary: 'Make a credential',
    description:
      'Its secrets are shown this once. A credential gives no more scopes and datahubs than it has itself.',
    parameters: [sessionToken],
    body: {
      schema: 'NewCredential',
      example: { name: 'web shop', scopes: ['send'], datahubs: ['datahub-abcdefgh'] },
    },
    answers: {
      201: {
        description: 'With its secrets.',
        schema: 'CredentialWithSecrets',
        headers: ['ETag', 'Location'],
      },
    },
    problems: [...BODY, 'quota_exceeded'],
  },
  'GET /v1/credentials/{secretId}': get(
    'Credentials',
    'getCredential',
    'Credential',
    'credential_not_found',
  ),
  'PATCH /v1/credentials/{secretId}': {
    ...changing,
    id: 'changeCredential',
    tag: 'Credentials',
    summary: 'Change a credential',
    description: 'JSON Merge Patch: what is left out stays. It works everywhere within 15 s.',
    body: { schema: 'CredentialChanges', example: { disabled: true, expires: null }, patch: true },
    answers: { 200: now('Credential') },
    problems: [...BODY, ...CONDITION, 'credential_not_found'],
  },
  'POST /v1/credentials/{secretId}/rotate': {
    ...changing,
    id: 'rotateSecret',
    tag: 'Credentials',
    summary: 'Draw a new secret',
    description:
      'It is shown this once. The secret of before stays good for a while, older ones end at once.',
    body: { schema: 'Rotation', example: { keepSeconds: 3600 }, optional: true },
    answers: { 200: now('CredentialWithSecrets', 'With the new secrets.') },
    problems: [...BODY, ...CONDITION, 'credential_not_found'],
  },
  'DELETE /v1/credentials/{secretId}': {
    ...changing,
    id: 'deleteCredential',
    tag: 'Credentials',
    summary: 'Delete a credential',
    description: 'Everywhere within 15 s.',
    answers: { 204: { description: 'It is gone.' } },
    problems: [...CONDITION, 'credential_not_found'],
  },
  'POST /v1/credentials/reseal': {
    id: 'resealCredentials',
    tag: 'Credentials',
    caller: 'admin',
    summary: 'Seal all secrets under the current master key',
    description: 'After `MASTER_KEY` was rotated. It may be repeated.',
    answers: {
      200: { description: 'How many were sealed anew, of how many.', schema: 'Resealed' },
    },
    problems: ['conflict'],
  },

  'GET /v1/schemas': list('Schemas', 'listSchemas', 'Schemas'),
  'POST /v1/schemas': {
    id: 'createSchema',
    tag: 'Schemas',
    caller: 'adminOrManage',
    summary: 'Make a schema',
    parameters: [sessionToken],
    body: { schema: 'NewSchema', example: { name: 'order', fields: FIELDS } },
    answers: {
      201: { description: 'It is made.', schema: 'Schema', headers: ['ETag', 'Location'] },
    },
    problems: [...BODY, 'name_taken', 'quota_exceeded'],
  },
  'GET /v1/schemas/{schemaId}': get('Schemas', 'getSchema', 'Schema', 'schema_not_found'),
  'PATCH /v1/schemas/{schemaId}': {
    ...changing,
    id: 'changeSchema',
    tag: 'Schemas',
    summary: 'Change a schema',
    description: 'What is left out stays. New reports are checked by it everywhere within 15 s.',
    body: { schema: 'SchemaChanges', example: { fields: FIELDS }, patch: true },
    answers: { 200: now('Schema') },
    problems: [...BODY, ...CONDITION, 'schema_not_found', 'name_taken', 'forbidden'],
  },
  'DELETE /v1/schemas/{schemaId}': {
    ...changing,
    id: 'deleteSchema',
    tag: 'Schemas',
    summary: 'Delete a schema',
    description: 'Refused while it is bound to a datahub.',
    answers: { 204: { description: 'It is gone.' } },
    problems: [...CONDITION, 'schema_not_found', 'schema_in_use'],
  },

  'GET /v1/audit-log': {
    id: 'getAuditLog',
    tag: 'Operation',
    caller: 'admin',
    summary: 'Read who changed what, when',
    description: 'Newest first.',
    parameters: [
      {
        name: 'target',
        in: 'query',
        description: 'Only changes of the thing with this id.',
        schema: { type: 'string' },
      },
      ...page,
    ],
    answers: { 200: { description: 'A page.', schema: 'AuditLog', headers: ['Link'] } },
    problems: PAGE,
  },
}
