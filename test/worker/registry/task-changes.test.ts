import { describe, it } from 'vitest'
import type { TaskStatus } from '../../../worker/registry/directory.ts'
import type { TaskChanges } from '../../../worker/registry/forms.ts'
import { fieldsChanged, type ChangeableTask } from '../../../worker/registry/task-changes.ts'

const task: ChangeableTask = {
  name: 'n',
  topic: 'old',
  status: 1,
  description: '',
  qpsLimit: 2_000,
  schemaId: null,
  nextTopic: null,
  createTopic: null,
}

describe('the fields that change', () => {
  it.for<[string, Partial<ChangeableTask>, TaskChanges, Partial<ChangeableTask>]>([
    ['nothing is wished', {}, {}, {}],
    ['all is so already', {}, { name: 'n', description: '', qpsLimit: 2_000, schemaId: null }, {}],
    ['some are other', {}, { name: 'n', qpsLimit: 1 }, { qpsLimit: 1 }],
    ['a schema is bound', {}, { schemaId: 'schema-1' }, { schemaId: 'schema-1' }],
    ['a schema is unbound', { schemaId: 'schema-1' }, { schemaId: null }, { schemaId: null }],

    ['it runs and gets another topic', {}, { topic: 'new' }, { nextTopic: 'new' }],
    ['it is paused and gets another topic', { status: 6 }, { topic: 'new' }, { nextTopic: 'new' }],
    ['it runs and gets its own topic', {}, { topic: 'old' }, {}],
    ['a pending change is taken back', { nextTopic: 'x' }, { topic: 'old' }, { nextTopic: null }],
    ['a pending change becomes another', { nextTopic: 'x' }, { topic: 'y' }, { nextTopic: 'y' }],
    ['a pending change is wished again', { nextTopic: 'x' }, { topic: 'x' }, {}],

    ['it failed and gets another topic', { status: -1 }, { topic: 'x' }, { topic: 'x', status: 0 }],
    ['it failed and gets its own topic', { status: -1 }, { topic: 'old' }, {}],
    ['it is creating and gets another topic', { status: 0 }, { topic: 'x' }, { topic: 'x' }],
    [
      'it waits for its topic and a next one, and gets a third',
      { status: 0, nextTopic: 'x' },
      { topic: 'y' },
      { topic: 'y', nextTopic: null },
    ],
    [
      'it waits for its topic and a next one, and gets the next one',
      { status: 0, nextTopic: 'x' },
      { topic: 'x' },
      { topic: 'x', nextTopic: null },
    ],

    [
      'it failed and its topic may be created now',
      { status: -1 },
      { createTopic: { partitions: 3 } },
      { createTopic: { partitions: 3 }, status: 0 },
    ],
    [
      'the next topic may be created',
      {},
      { topic: 'new', createTopic: {} },
      { nextTopic: 'new', createTopic: {} },
    ],
    [
      'what may be created was another topic',
      { createTopic: { partitions: 3 } },
      { topic: 'new' },
      { nextTopic: 'new', createTopic: null },
    ],
    [
      'the pending topic is wished again, without saying anything of creating',
      { nextTopic: 'x', createTopic: {} },
      { topic: 'x', name: 'm' },
      { name: 'm' },
    ],
    [
      'a pending change with a topic to create is taken back',
      { nextTopic: 'x', createTopic: {} },
      { topic: 'old' },
      { nextTopic: null, createTopic: null },
    ],
  ])('where %s', ([, more, changes, expected], { expect }) => {
    const before = { ...task, ...more }
    const fields = fieldsChanged(before, before.status, changes)
    expect(fields).toEqual(expected)
    const after = { ...before, ...fields }
    expect(fieldsChanged(after, after.status, changes)).toEqual({})
  })

  it('goes by what the status is now, not by the stored one', ({ expect }) => {
    const now: TaskStatus = 1
    const resumed = { ...task, status: 8 as const }
    expect(fieldsChanged(resumed, now, { topic: 'new' })).toEqual({ nextTopic: 'new' })
  })
})
