/** Dependencies of the API that remember what they were asked. */
import { envelopeIdOf, mintReceipt, type Outcome, type Receipt } from '#contract'
import type { AcceptInput } from '../../../worker/accept.ts'
import type { LogEntry } from '../../../worker/log.ts'
import type { Credential, Task } from '../../../worker/registry/directory.ts'
import type { TencentDeps } from '../../../worker/tencent/action.ts'
import { SECRET_ID, SECRET_KEY } from './captures.ts'
import { NOW_SECONDS } from './sign.ts'
import { fakeTasks } from './tasks/fake-tasks.ts'

export const DATAHUB = 'datahub-lzxxxxx6'
export const HIDDEN_DATAHUB = 'datahub-hidden00'
export const RECEIVED = NOW_SECONDS * 1000
export const ENVELOPE_ID = envelopeIdOf(new Uint8Array(12))

const receiptKey = crypto.subtle.importKey(
  'raw',
  new Uint8Array(32),
  { name: 'HMAC', hash: 'SHA-256' },
  false,
  ['sign'],
)

export async function receiptOf(index: number, count: number): Promise<Receipt> {
  return mintReceipt({ accepted: RECEIVED, id: ENVELOPE_ID, index, count }, await receiptKey)
}

function taskOf(datahub: string): Task {
  const place = { instance: 'ckafka-00000000', topic: 'topicDev' }
  return { datahub, taskId: 'task-00000000', name: 'a', ...place, status: 1, qpsLimit: 2_000 }
}

export interface Fake {
  deps: TencentDeps
  accepted: AcceptInput[]
  logged: LogEntry[]
  /** What the directory was asked, in order. */
  asked: string[]
}

export function fakeDeps(
  overrides: Partial<TencentDeps> & { credential?: Partial<Credential>; task?: Partial<Task> } = {},
): Fake {
  const { credential: credentialFields, task: taskFields, ...rest } = overrides
  const credential: Credential = {
    secretId: SECRET_ID,
    secretKeys: [SECRET_KEY],
    scopes: ['send'],
    datahubs: [DATAHUB],
    ...credentialFields,
  }
  const tasks = [{ ...taskOf(DATAHUB), ...taskFields }, taskOf(HIDDEN_DATAHUB)]
  const fake: Omit<Fake, 'deps'> = { accepted: [], logged: [], asked: [] }
  const deps: TencentDeps = {
    directory: {
      async findCredential(secretId) {
        fake.asked.push(secretId)
        return secretId === SECRET_ID ? credential : undefined
      },
      async findTask(datahub) {
        fake.asked.push(datahub)
        return tasks.find((task) => task.datahub === datahub)
      },
      async topicsOf(datahubs) {
        const visible = tasks.filter(
          ({ datahub }) => datahubs === 'all' || datahubs.includes(datahub),
        )
        return new Set(visible.map(({ topic }) => topic))
      },
    },
    control: { tasks: fakeTasks() },
    now: () => NOW_SECONDS * 1000,
    hostAliases: [],
    unsignedPayload: 'allow',
    instance: 'ckafka-00000000',
    relayLink: { ask: async () => ({ status: 'no_relay' }) },
    rateLimit: { take: () => true },
    async accept(input) {
      fake.accepted.push(input)
      const count = input.records.length
      const receipt = await receiptOf(0, count)
      return { status: 'accepted', id: ENVELOPE_ID, received: RECEIVED, count, receipt }
    },
    outcome: async () => undefined,
    pendingReceipts: ({ count }) =>
      Promise.all(Array.from({ length: count }, (_, i) => receiptOf(i, 1))),
    log: (entry) => void fake.logged.push(entry),
    ...rest,
  }
  return { ...fake, deps }
}

export function outcomeOf(runs: Outcome['runs']): Outcome {
  return { datahub: DATAHUB, topic: 'topicDev', received: RECEIVED, sent: RECEIVED + 57, runs }
}
