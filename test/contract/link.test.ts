import { describe, it } from 'vitest'
import { MAX_TASKS, RelayFrame, WorkerFrame } from '#contract'

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `t${i}`)
const watch = (rest: object) => ({ type: 'watch', topics: ['a', 'b'], ...rest })

describe('the list of targets', () => {
  it.for([
    ['no topics', { topics: [] }, true],
    ['topics alone', {}, true],
    ['one to be created', { create: [{ topic: 'a', partitions: 1 }, { topic: 'b' }] }, true],
    ['as many topics as tasks can have while theirs change', { topics: names(2_000) }, true],
    ['one topic too many', { topics: names(2 * MAX_TASKS + 1) }, false],
    [
      'one too many to be created',
      { create: names(2 * MAX_TASKS + 1).map((topic) => ({ topic })) },
      false,
    ],
    ['no partitions', { create: [{ topic: 'a', partitions: 0 }] }, false],
    ['half a partition', { create: [{ topic: 'a', partitions: 1.5 }] }, false],
    [
      'more partitions than a number of Kafka holds',
      { create: [{ topic: 'a', partitions: 2 ** 31 }] },
      false,
    ],
    ['a name that no topic has', { create: [{ topic: 'a b' }] }, false],
    ['an unknown wish', { create: [{ topic: 'a', replicas: 3 }] }, false],
  ] as const)('with %s: valid %s', ([, rest, valid], { expect }) => {
    const frame = watch(rest)
    const parsed = WorkerFrame.safeParse(frame)
    expect(parsed.success).toBe(valid)
    if (valid) expect(parsed.data).toEqual(frame)
  })

  it.for([
    ['topic_not_created', true],
    ['not_created', false],
  ] as const)('is answered with %s: valid %s', ([reason, valid], { expect }) => {
    const targets = [{ topic: 'a', status: 'unfit', reason }]
    expect(RelayFrame.safeParse({ type: 'targets', targets }).success).toBe(valid)
  })
})
