import { describe, it } from 'vitest'
import { createShardQueue } from '../../../relay/queue/shard-queue.ts'
import { leaseOf } from '../../support/items.ts'

function make(fails: { queue?: boolean; dead_letter_queue?: boolean } = {}) {
  const calls: string[] = []
  const client = (source: 'queue' | 'dead_letter_queue') => ({
    async settle(
      acks: readonly string[],
      retries: readonly { leaseId: string; delaySeconds: number }[],
    ) {
      const back = retries.map((r) => `${r.leaseId}+${r.delaySeconds}`)
      calls.push(`${source}: ack ${acks.join(',')} retry ${back.join(',')}`)
      if (fails[source]) throw new Error(`${source} is away`)
    },
  })
  const queue = createShardQueue({
    queue: client('queue'),
    dead_letter_queue: client('dead_letter_queue'),
  })
  return { queue, calls }
}

const first = leaseOf(1)
const dead = leaseOf(2, { source: 'dead_letter_queue' })

describe("a shard's two queues", () => {
  it('each lease goes back to the queue that it was pulled from', async ({ expect }) => {
    const { queue, calls } = make()
    await queue.settle(
      [first, dead],
      [
        { lease: { ...dead, leaseId: 'lease-3' }, delaySeconds: 4_000 },
        { lease: { ...first, leaseId: 'lease-4' }, delaySeconds: 1 },
      ],
    )
    expect(calls).toEqual([
      'queue: ack lease-1 retry lease-4+1',
      'dead_letter_queue: ack lease-2 retry lease-3+4000',
    ])
  })

  it('a queue that nothing goes to is not asked', async ({ expect }) => {
    const { queue, calls } = make()
    await queue.settle([dead], [])
    await queue.settle([], [])
    expect(calls).toEqual(['dead_letter_queue: ack lease-2 retry '])
  })

  it.for(['queue', 'dead_letter_queue'] as const)(
    'when the %s does not take its part the other still gets its own, and the failure is told',
    async (source, { expect }) => {
      const { queue, calls } = make({ [source]: true })
      await expect(queue.settle([first, dead], [])).rejects.toThrow(`${source} is away`)
      expect(calls).toHaveLength(2)
    },
  )
})
