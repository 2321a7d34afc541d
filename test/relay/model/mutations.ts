// What keeps a report from being in Kafka twice, taken out piece by piece: each of these relays is wrong in one thing and right in all
// others, and the model must see what comes of it. First the rule "Absence needs evidence", then the fence and the reading after it.
import type { EnvelopeId, LedgerRecord } from '#contract'
import { decide, type Knowledge } from '../../../relay/disposition.ts'
import type { LanePort } from '../../../relay/kafka/lane.ts'
import { Remembered } from '../../../relay/ledger/remembered.ts'
import { prepare } from '../../../relay/prepare.ts'
import type { Mutation } from './relays.ts'
import type { SceneName } from './scenes.ts'

// `scene`: where it shows. Without one, a search of any runs finds it soon.
interface Listed extends Mutation {
  scene?: SceneName
}

const FORGET_AT_ONCE = { keep: 0, clock: () => 0 }

// Takes every outcome for taken as soon as it is committed.
class Hasty extends Remembered {
  override add(record: LedgerRecord, offset: bigint): void {
    super.add(record, offset)
    if ('batch' in record) super.taken(record.batch.map(([id]) => id))
  }
}

// Forgets what a look-up in use stands on.
class Careless extends Remembered {
  override forget(): void {
    super.forget(undefined)
  }
}

// Knows what `changes` says, and what `from` knows of everything else.
function knowing(from: Knowledge, changes: Partial<Knowledge>): Knowledge {
  return {
    look: (id) => from.look(id),
    hasRaw: (messageId) => from.hasRaw(messageId),
    low: from.low,
    ...changes,
  }
}

// A lane whose reader shows the own claim, and of all else only what `isShown` lets through.
function reading(lane: LanePort, isShown: (offset: bigint) => boolean): LanePort {
  return {
    ...lane,
    readLedger: (range, visit) =>
      lane.readLedger(range, (record) => {
        if (record.offset === range.through || isShown(record.offset)) visit(record)
      }),
  }
}

export const MUTATIONS: Record<string, Listed> = {
  'the look-up is asked although the id is remembered': {
    parts: () => ({
      prepare: (leases, deps, emit) => {
        const remembered = {
          look: () => undefined,
          get next() {
            return deps.remembered.next
          },
        }
        return prepare(leases, { ...deps, remembered }, emit)
      },
    }),
  },
  'an id is forgotten before its outcome is taken': {
    parts: () => ({ remembered: new Hasty(FORGET_AT_ONCE) }),
  },
  'a boot begins at the end of the ledger': {
    lane: async (open, { ledger }) => {
      const lane = await open()
      const ledgerBounds = async () => ({ start: 0n, committed: BigInt(ledger.length) })
      return { ...lane, ledgerBounds }
    },
  },
  'an old answer counts': {
    parts: () => ({
      remembered: new Careless(FORGET_AT_ONCE),
      decide: (items, knowledge, moment) => decide(items, knowing(knowledge, { low: 0n }), moment),
    }),
  },
  'what is new is decided before the send': {
    parts: () => ({
      decide(items, knowledge, moment) {
        // What was remembered when it was pulled; what came to be since is not seen.
        const known = new Set<EnvelopeId>(
          items.flatMap((item) => (item.kind === 'remembered' ? [item.envelope.id] : [])),
        )
        const look = (id: EnvelopeId) => (known.has(id) ? knowledge.look(id) : undefined)
        return decide(items, knowing(knowledge, { look }), moment)
      },
    }),
  },
  'there is no age limit': {
    parts: () => ({
      decide: (items, knowledge, moment) => decide(items, knowledge, { ...moment, now: 0 }),
    }),
  },
  'the ledger is read before INIT': {
    scene: 'a commit before the fence',
    lane: async (open, { ledger }) => {
      const end = BigInt(ledger.length)
      return reading(await open(), (offset) => offset < end)
    },
  },
  'the ledger is not read again after a doubt': {
    lane: async (open, _, boots) => reading(await open(), () => boots === 0),
  },
  'the ledger is not read at all': {
    lane: async (open) => reading(await open(), () => false),
  },
  'what lies behind the own claim counts as read': {
    scene: 'a commit behind the claim',
    lane: async (open, kafka) => {
      const lane = await open()
      return {
        ...lane,
        async readLedger(range, visit) {
          await lane.readLedger(range, visit)
          return BigInt(kafka.ledgerStable)
        },
      }
    },
  },
  'a doubt leads to no new epoch': {
    scene: 'an append that comes late',
    reusesEpoch: true,
  },
}
