// Faults of the brokers, one at a time and with all replicas in sync between two: kill -9 of the broker that has a certain part, started
// again once the others have taken it over; and a rolling restart.
import type { KafkaNode } from '../../dev/kafka/node.ts'
import { areWhole, brokerOf, isDeposed, ROLES, type Role } from './brokers.ts'
import type { Run } from './campaign.ts'
import type { Random } from './random.ts'
import { SHARDS, type Stage } from './stage.ts'

const DEPOSED_MS = 60_000
const WHOLE_MS = 120_000
const SERVED_MS = 90_000

// Each part, and the rolling restart, so many times.
export function clusterRuns(runs: number, random: Random): Run[] {
  const kills = ROLES.map((role): Run => ({
    point: role,
    fault: 'kill',
    act: (stage, r) => watched(stage, () => killBroker(stage, role, r)),
  }))
  const restart: Run = {
    point: 'each_in_turn',
    fault: 'restart',
    act: (stage) => watched(stage, () => restartAll(stage)),
  }
  return Array.from({ length: runs }, () => random.shuffled([...kills, restart])).flat()
}

async function killBroker(stage: Stage, role: Role, random: Random): Promise<void> {
  const victim = nodeOf(stage, await brokerOf(stage, role, random.pick(SHARDS), random))
  await victim.kill()
  await isDeposed(stage, victim.id, DEPOSED_MS)
  await eachCommits(stage)
  await startAgain(stage, victim)
}

async function restartAll(stage: Stage): Promise<void> {
  for (const node of stage.cluster?.nodes ?? []) {
    await node.stop()
    await startAgain(stage, node)
  }
}

export async function startAgain(stage: Stage, node: KafkaNode): Promise<void> {
  await node.start(stage.cluster?.nodes.map(({ id }) => id))
  await areWhole(stage, WHOLE_MS)
}

export function nodeOf({ cluster }: Stage, id: number): KafkaNode {
  const node = cluster?.nodes.find((each) => each.id === id)
  if (!node) throw new Error(`there is no broker ${id} of our own`)
  return node
}

// From now on.
function eachCommits({ relays }: Stage): Promise<unknown> {
  return Promise.all(
    SHARDS.map((shard) =>
      relays.next(
        (line) => line.shard === shard && line.point === 'committed',
        `shard ${shard} commits`,
        SERVED_MS,
      ),
    ),
  )
}

// How long the shard that had to wait longest was without a commit.
async function watched(
  stage: Stage,
  act: () => Promise<void>,
): Promise<{ ms: number; doubts: number }> {
  await eachCommits(stage)
  const lastAt = SHARDS.map(() => Date.now())
  let ms = 0
  let doubts = 0
  const end = stage.relays.onLine((line) => {
    if (line.msg.startsWith('A transaction is in doubt')) doubts++
    if (line.point !== 'committed' || line.shard === undefined) return
    const at = Date.parse(line.time)
    ms = Math.max(ms, at - (lastAt[line.shard] ?? at))
    lastAt[line.shard] = at
  })
  try {
    await act()
    await eachCommits(stage)
    return { ms, doubts }
  } finally {
    end()
  }
}
