/** The routes for relays, and the one that says that the worker lives. */
import { BODY, type Operations } from './operation.ts'

const id = 'AAECAwQFBgcICQoL'

export const INTERNAL: Operations = {
  'POST /internal/outcomes': {
    id: 'postOutcomes',
    tag: 'internal',
    caller: 'relay',
    summary: 'Report outcomes',
    description:
      'The answer names the ids that durably have an outcome now, this one or an earlier one. It may be repeated.',
    body: {
      schema: 'OutcomesRequest',
      example: {
        outcomes: [
          {
            id,
            outcome: {
              datahub: 'datahub-abcdefgh',
              topic: 'orders',
              received: 1790000000000,
              sent: 1790000000123,
              runs: [[2, 4, '17']],
            },
          },
        ],
      },
    },
    answers: { 200: { description: 'What was taken.', schema: 'OutcomesResponse' } },
    problems: BODY,
  },
  'POST /internal/lookups': {
    id: 'postLookups',
    tag: 'internal',
    caller: 'relay',
    summary: 'Ask which envelopes have an outcome',
    description:
      'An id whose status shard does not answer is in neither list; only `absent` means that there is no outcome.',
    body: { schema: 'LookupsRequest', example: { ids: [id] } },
    answers: { 200: { description: 'What was found.', schema: 'LookupsResponse' } },
    problems: BODY,
  },
  'GET /internal/envelopes/{object}': {
    id: 'getEnvelope',
    tag: 'internal',
    caller: 'relay',
    summary: 'Get the records of a large envelope',
    answers: { 200: { description: 'The bytes as they were put.', schema: 'EnvelopeRecords' } },
    problems: ['envelope_not_found', 'invalid_value'],
  },
  'DELETE /internal/envelopes/{object}': {
    id: 'deleteEnvelope',
    tag: 'internal',
    caller: 'relay',
    summary: 'Delete the records of a large envelope',
    answers: { 204: { description: 'It is gone, or was before.' } },
    problems: ['invalid_value'],
  },
  'GET /internal/link': {
    id: 'openLink',
    tag: 'internal',
    caller: 'relay',
    summary: 'Open the relay link',
    description: 'With `Upgrade: websocket`. What is said on it: docs/architecture.md.',
    answers: { 101: { description: 'The WebSocket is open.' } },
    problems: ['upgrade_required'],
  },
  'GET /livez': {
    id: 'getLivez',
    tag: 'Operation',
    caller: 'anyone',
    summary: 'Say that the worker runs',
    description: 'Its settings are good. It asks no other part.',
    answers: { 200: { description: 'It runs.', schema: 'Live' } },
    problems: [],
  },
}
