import { describe, it } from 'vitest'
import {
  CutError,
  Failpoints,
  FAULTS,
  parseFailpoint,
  POINTS,
  type Failpoint,
} from '../../relay/failpoints.ts'

describe('a failpoint in words', () => {
  it('names any moment, any fault and the n-th time', ({ expect }) => {
    for (const point of POINTS) {
      for (const fault of FAULTS) {
        expect(parseFailpoint(`${point}:${fault}`)).toEqual({ point, fault, nth: 1 })
        expect(parseFailpoint(`${point}:${fault}:12`)).toEqual({ point, fault, nth: 12 })
      }
    }
  })

  it.for([
    '',
    'added',
    'added:',
    ':kill',
    'nowhere:kill',
    'added:crash',
    'Added:kill',
    'added:kill:',
    'added:kill:0',
    'added:kill:01',
    'added:kill:-1',
    'added:kill:1.5',
    'added:kill:1000000',
    'added:kill:1:2',
    ' added:kill',
    'toString:kill',
  ])('"%s" is none', (text, { expect }) => {
    expect(parseFailpoint(text)).toBeUndefined()
  })
})

function arm(failpoint: Failpoint) {
  const calls: string[] = []
  const failpoints = new Failpoints(
    {
      signal: (name) => void calls.push(name),
      onReached: ({ point }) => void calls.push(`reached ${point}`),
    },
    failpoint,
  )
  return { calls, failpoints, reach: failpoints.reach }
}

describe('an armed failpoint', () => {
  it('fails the n-th time that its moment is reached, and only then; other moments do not count', async ({
    expect,
  }) => {
    const { calls, reach } = arm({ point: 'added', fault: 'cut', nth: 3 })
    const results: string[] = []
    for (const point of ['added', 'began', 'added', 'committed', 'added', 'added'] as const) {
      try {
        await reach(point)
        results.push('passed')
      } catch (error) {
        results.push(error instanceof CutError ? error.message : 'another error')
      }
    }
    expect(results).toEqual(['passed', 'passed', 'passed', 'passed', 'failpoint added', 'passed'])
    expect(calls).toEqual(['reached added'])
  })

  it('kill signals SIGKILL, and nothing after the moment runs', async ({ expect }) => {
    const { calls, reach } = arm({ point: 'began', fault: 'kill', nth: 1 })
    const end = Promise.resolve(reach('began')).then(() => 'went on')
    expect(calls).toEqual(['reached began', 'SIGKILL'])
    const nextRound = new Promise((resolve) => setImmediate(() => resolve('still there')))
    expect(await Promise.race([end, nextRound])).toBe('still there')
  })

  it('stop signals SIGSTOP, and it goes on when the process does', async ({ expect }) => {
    const { calls, reach } = arm({ point: 'began', fault: 'stop', nth: 1 })
    expect(await reach('began')).toBeUndefined()
    expect(calls).toEqual(['reached began', 'SIGSTOP'])
  })

  it('takes the place of the one before, and counts anew', async ({ expect }) => {
    const { calls, failpoints, reach } = arm({ point: 'began', fault: 'cut', nth: 2 })
    await reach('began')
    failpoints.arm({ point: 'added', fault: 'stop', nth: 2 })
    await reach('began')
    await reach('added')
    expect(calls).toEqual([])
    await reach('added')
    expect(calls).toEqual(['reached added', 'SIGSTOP'])
  })
})
