import { describe, it } from 'vitest'
import { decodeLedgerRecord, encodeLedgerRecord } from '#contract'
import raw from './golden/ledger-batch-raw.json' with { type: 'json' }
import batch from './golden/ledger-batch.json' with { type: 'json' }
import claim from './golden/ledger-claim.json' with { type: 'json' }

describe('a ledger record', () => {
  it.for([
    ['claim', claim],
    ['batch', batch],
    ['batch with raw dead letters', raw],
  ] as const)('%s is read and written as ever', ([, json], { expect }) => {
    const record = decodeLedgerRecord(JSON.stringify(json))
    expect(record).toEqual(json)
    expect(JSON.parse(encodeLedgerRecord(record))).toEqual(json)
  })

  it.for([
    'text',
    '{}',
    '{"v":2,"claim":{"relay":"r","at":1}}',
    '{"v":1,"claim":{"relay":"r"}}',
    '{"v":1,"batch":[["id",{}]]}',
  ])('%s is none, and that is an error', (text, { expect }) => {
    expect(() => decodeLedgerRecord(text)).toThrow(Error)
  })
})
