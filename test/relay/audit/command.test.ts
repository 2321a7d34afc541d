import { inject, it } from 'vitest'
import { run } from './run.ts'

const brokers = inject('brokers')
const other = { INSTANCE_ID: 'ckafka-nobody00', KAFKA_BROKERS: brokers.join(',') }
const ALL = '--datahub datahub-abcdefgh --from 1h'

it.for<[string, string, Record<string, string>, code: number, ...said: string[]]>([
  ['no flags', '--json', other, 2, '--datahub is needed', '--help'],
  ['no settings', ALL, {}, 78, 'INSTANCE_ID', 'KAFKA_BROKERS', '--dev'],
  ['no stack', `${ALL} --dev /no/such/state`, {}, 78, '/no/such/state/dev.json'],
  ['no topic', ALL, other, 1, 'There is no topic edgehub-ckafka-nobody00-ledger'],
  [
    'no cluster',
    ALL,
    { ...other, KAFKA_BROKERS: '127.0.0.1:1' },
    1,
    "Kafka can't be reached at 127.0.0.1:1",
  ],
])('%s: said in a sentence', async ([, line, env, code, ...said], { expect }) => {
  const ran = await run(line, env)
  expect(ran).toMatchObject({ code, stdout: '' })
  for (const text of said) expect(ran.stderr).toContain(text)
  expect(ran.stderr).not.toMatch(/^ +at /m)
})

it('--help is the result', async ({ expect }) => {
  const { code, stdout, stderr } = await run('--help')
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('npm run audit -- --datahub <id> --from <time>')
})
