import { describe, it } from 'vitest'
import type { Rejection } from '../../../../worker/rejection.ts'
import { UnavailableError } from '../../../../worker/unavailable.ts'
import { setUp, type sdk, type Whole } from './call.ts'

const TaskId = 'task-abcd1234'
const CHANGES = ['Pause', 'Resume', 'Restart', 'Delete'] as const
const ALL = [...CHANGES, 'Modify', 'Describe'] as const

describe.for(CHANGES)('%sDatahubTask', (name) => {
  it('changes the task that the TaskId names, and answers its ids', async ({ expect }) => {
    const { tasks, call } = setUp()
    const { Result } = await call(`${name}DatahubTask`, { TaskId }, expect)
    const ids: Whole<sdk.DatahubTaskIdRes> = { TaskId, DatahubId: 'datahub-lzxxxxx6' }
    expect(Result).toStrictEqual(ids)
    expect(tasks.asked).toEqual([[name.toLowerCase(), expect.any(Object), { taskId: TaskId }]])
  })
})

describe.for(ALL)('%sDatahubTask', (name) => {
  const action = `${name}DatahubTask`

  it.for([
    [{}, 'MissingParameter', 'The request is missing a required parameter `TaskId`.'],
    [{ TaskId: null }, 'MissingParameter', 'The request is missing a required parameter `TaskId`.'],
    [{ TaskId: 1 }, 'InvalidParameter', 'input type should be `string`'],
    [
      { TaskId, DatahubId: 'x' },
      'UnknownParameter',
      'The parameter `DatahubId` is not recognized.',
    ],
  ] as const)('refuses %j', async ([parameters, code, text], { expect }) => {
    const { tasks, call } = setUp()
    const { Error: error } = await call(action, parameters, expect)
    expect(error?.Code).toBe(code)
    expect(error?.Message).toContain(text)
    expect(tasks.asked).toEqual([])
  })

  it.for<[Rejection, code: string, message: string]>([
    [
      { reason: 'task_not_found', taskId: TaskId },
      'ResourceNotFound',
      'The task `task-abcd1234` does not exist.',
    ],
    [
      {
        reason: 'task_state_conflict',
        datahub: 'datahub-lzxxxxx6',
        status: 0,
        change: 'pause',
      },
      'FailedOperation',
      'task status creating [datahub-lzxxxxx6]',
    ],
    [
      { reason: 'unauthenticated', problem: 'It has expired.' },
      'AuthFailure.UnauthorizedOperation',
      'It has expired.',
    ],
  ])('$0.reason', async ([rejection, code, message], { expect }) => {
    const { call } = setUp({ rejection })
    const { Error: error } = await call(action, { TaskId }, expect)
    expect(error).toEqual({ Code: code, Message: message })
  })

  it('needs the scope manage', async ({ expect }) => {
    const { tasks, call } = setUp({}, { credential: { scopes: ['send', 'query'] } })
    const { Error: error } = await call(action, { TaskId }, expect)
    expect(error?.Code).toBe('AuthFailure.UnauthorizedOperation')
    expect(error?.Message).toBe(`The credential is not allowed to call \`${action}\`.`)
    expect(tasks.asked).toEqual([])
  })

  it('has a rate of 20 a second', async ({ expect }) => {
    const taken: unknown[] = []
    const take = (key: string, perSecond: number): boolean => {
      taken.push([key, perSecond])
      return false
    }
    const { tasks, call } = setUp({}, { rateLimit: { take } })
    const { Error: error } = await call(action, { TaskId }, expect)
    expect(error?.Code).toBe('RequestLimitExceeded')
    expect(taken).toEqual([[expect.stringContaining(action), 20]])
    expect(tasks.asked).toEqual([])
  })
})

describe('ModifyDatahubTask', () => {
  const action = 'ModifyDatahubTask'
  it.for([
    [{}, {}],
    [{ TaskName: 'b' }, { name: 'b' }],
    [{ Description: '' }, { description: '' }],
    [{ TaskName: 'b', Description: null }, { name: 'b' }],
    [
      { TaskName: 'b', Description: 'c', TasksMax: 1, SyncThrottleLimit: 20, AutoExpandFlag: true },
      { name: 'b', description: 'c' },
    ],
  ] as const)('%j', async ([parameters, changes], { expect }) => {
    const { tasks, call } = setUp()
    const { Result } = await call(action, { TaskId, ...parameters }, expect)
    expect(Result).toStrictEqual({ TaskId, DatahubId: 'datahub-lzxxxxx6' })
    expect(tasks.asked).toEqual([['modify', expect.any(Object), { taskId: TaskId }, changes]])
  })

  it.for([
    [
      { TasksMax: 2 },
      'UnsupportedOperation',
      '`TasksMax`: 2 is not supported; use 1, or leave it out.',
    ],
    [
      { SyncThrottleLimit: 10 },
      'UnsupportedOperation',
      '`SyncThrottleLimit`: 10 is not supported; use 20, or leave it out.',
    ],
    [
      { AutoExpandFlag: false },
      'UnsupportedOperation',
      '`AutoExpandFlag`: false is not supported; use true, or leave it out.',
    ],
    // Tencent spells it so in answers alone.
    [{ TaskMax: 1 }, 'UnknownParameter', 'The parameter `TaskMax` is not recognized.'],
    [
      { TargetResource: {} },
      'UnknownParameter',
      'The parameter `TargetResource` is not recognized.',
    ],
    [
      { TaskName: '1st' },
      'InvalidParameterValue',
      'A value specified in `TaskName` is not valid. It starts with a letter',
    ],
    [
      { Description: 'a'.repeat(513) },
      'InvalidParameterValue',
      'A value specified in `Description` is not valid.',
    ],
    [{ TasksMax: '1' }, 'InvalidParameter', 'input type should be `integer`'],
  ] as const)('refuses %j', async ([parameters, code, text], { expect }) => {
    const { tasks, call } = setUp()
    const { Error: error } = await call(action, { TaskId, ...parameters }, expect)
    expect(error?.Code).toBe(code)
    expect(error?.Message).toContain(text)
    expect(tasks.asked).toEqual([])
  })

  it('takes its parameters from a query', async ({ expect }) => {
    const { tasks, get } = setUp()
    const parameters = { TaskId, Description: '1', TasksMax: '1', AutoExpandFlag: 'True' }
    expect((await get(action, parameters, expect)).Error).toBeUndefined()
    expect(tasks.asked).toEqual([
      ['modify', expect.any(Object), { taskId: TaskId }, { description: '1' }],
    ])
  })

  it('names TaskName when the name is taken', async ({ expect }) => {
    const { call } = setUp({ rejection: { reason: 'name_taken', path: 'name', name: 'b' } })
    const { Error: error } = await call(action, { TaskId, TaskName: 'b' }, expect)
    expect(error).toEqual({
      Code: 'InvalidParameterValue.RepetitionValue',
      Message: 'A value specified in `TaskName` is not valid. There is one named b already.',
    })
  })
})

it('a registry that can not be reached is ServiceUnavailable', async ({ expect }) => {
  const { tasks, call } = setUp()
  tasks.pause = async () => {
    throw new UnavailableError('away')
  }
  const { Error: error } = await call('PauseDatahubTask', { TaskId }, expect)
  expect(error?.Code).toBe('ServiceUnavailable')
})
