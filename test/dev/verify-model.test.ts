// What a search by Spin proves, and what it does not; and that the script runs each variant that the model has. The searches themselves
// are `npm run verify:model`.
import { readFile } from 'node:fs/promises'
import { describe, test } from 'vitest'
import { judge, RUNS } from '../../dev/verify-model.ts'

const HOLDS = { name: 'holds', flags: [] }
const BREAKS = { name: 'breaks', flags: ['X'], breaks: 'I1' } as const

const end = (errors: number) => `
State-vector 68 byte, depth reached 37, errors: ${errors}
   195562 states, stored
   156.613\ttotal actual memory usage

pan: elapsed time 2.05 seconds
`
const violated = (what: string) =>
  `pan:1: assertion violated ${what} (at depth 18)\npan: wrote relay.pml.trail\n\nWarning: Search not completed\n${end(1)}`

describe('a search', () => {
  test('without an error holds', ({ expect }) => {
    expect(judge(HOLDS, end(0))).toEqual({
      isExpected: true,
      found: 'holds',
      states: 195_562,
      seconds: 2.05,
      megabytes: 156.613,
    })
    expect(judge(BREAKS, end(0)).isExpected).toBe(false)
  })

  test('breaks what it is said to break, and not something else', ({ expect }) => {
    expect(judge(BREAKS, violated('I1')).isExpected).toBe(true)
    expect(judge(BREAKS, violated('I2'))).toMatchObject({
      isExpected: false,
      found: 'I2 is broken',
    })
    expect(judge(HOLDS, violated('I1')).isExpected).toBe(false)
  })

  test.for([
    `error: max search depth too small\n${end(0)}`,
    `error: max search depth too small\n${end(1)}`,
    `pan: reached -DMEMLIM bound\nWarning: Search not completed\n${end(0)}`,
    `pan: out of memory\n`,
    `Search not completed: gcc exits with 1\n`,
    '',
  ])('that was cut short proves nothing: %j', (output, { expect }) => {
    expect(judge(HOLDS, output)).toMatchObject({
      isExpected: false,
      found: 'the search was cut short',
    })
    expect(judge(BREAKS, output).isExpected).toBe(false)
  })

  test('with an error that is no assertion is not as expected', ({ expect }) => {
    const output = `pan:1: invalid end state (at depth 3)\n${end(1)}`
    expect(judge(HOLDS, output).isExpected).toBe(false)
    expect(judge(BREAKS, output)).toMatchObject({ isExpected: false, found: 'another error' })
  })
})

test('each variant of the model is run, and described in it', async ({ expect }) => {
  const model = await readFile(new URL('../../docs/model/relay.pml', import.meta.url), 'utf8')
  const [header] = model.split('*/')
  const variants = [...model.matchAll(/^#ifn?def (\w+)/gm)].map(([, flag]) => flag)
  const run = RUNS.flatMap(({ flags }) => flags.map((flag) => flag.replace(/=.*/, '')))
  expect(new Set(run)).toEqual(new Set(variants))
  for (const flag of run) expect(header).toMatch(new RegExp(`\\b${flag}\\b`))
})
