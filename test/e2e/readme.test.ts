import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, inject, it } from 'vitest'
import { buildJavaClient } from '../sdk/java.ts'
import { fetchPythonSdk } from '../sdk/python.ts'
import { startStack, type TestStack } from '../support/stack.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

let stack: TestStack
let folder: string
beforeAll(async () => {
  stack = await startStack({ brokers: inject('brokers') })
  folder = await mkdtemp(join(tmpdir(), 'edgehub-readme-'))
  await symlink(stack.state, join(folder, '.edgehub'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
})
afterAll(async () => {
  await stack.stop()
  await rm(folder, { recursive: true, force: true })
})

async function blocksOf(page: string): Promise<{ kind: string; text: string }[]> {
  const text = await readFile(join(root, page), 'utf8')
  return [...text.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, kind = '', block = '']) => ({
    kind,
    text: block,
  }))
}

const DEMO_IDS = /datahub-[a-z0-9]{8}:demo:\d+:\d+:\d{13}:\d{13}/g

it('the code blocks of the README work as they stand', async ({ expect }) => {
  const blocks = await blocksOf('README.md')
  const shell = blocks.find(({ kind, text }) => kind === 'sh' && text.includes('curl'))?.text ?? ''
  const script = blocks.find(({ kind }) => kind === 'js')?.text ?? ''
  await writeFile(join(folder, 'send.mjs'), script)
  const curl = await run('bash', ['-euc', shell], { cwd: folder })
  const answers = curl.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { status?: string; message?: { value: string } })
  const [, , , readBack] = answers
  expect(answers.slice(0, 3).map(({ status }) => status)).toEqual([
    'queued',
    'delivered',
    'delivered',
  ])
  expect(readBack?.message?.value).toBe('hello')
  const sdk = await run('node', ['send.mjs'], { cwd: folder })
  expect(sdk.stdout.match(DEMO_IDS)).toHaveLength(2)
})

it.for<[language: string, file: string, run: (file: string) => Promise<{ stdout: string }>]>([
  ['js', 'moved.mjs', (file) => run('node', [file], { cwd: folder })],
  [
    'python',
    'moved.py',
    async (file) =>
      run('python3', [file], {
        cwd: folder,
        env: { PATH: process.env['PATH'], PYTHONPATH: await fetchPythonSdk() },
      }),
  ],
  [
    'java',
    'Send.java',
    async (file) => run('java', ['-cp', await buildJavaClient(), file], { cwd: folder }),
  ],
])(
  'the %s snippet for who moves from TencentCloud sends, with endpoint, keys and datahub replaced',
  async ([language, file, runIt], { expect }) => {
    const [block] = (await blocksOf('docs/moving-from-tencentcloud.md')).filter(
      ({ kind }) => kind === language,
    )
    const { api, secretId, secretKey, datahubId } = stack.dev
    const text = block?.text
      .replace('127.0.0.1:8787', new URL(api).host)
      .replace('yourSecretId', secretId)
      .replace('yourSecretKey', secretKey)
      .replace('datahub-lzxxxxx6', datahubId)
    await writeFile(join(folder, file), text ?? '')
    const { stdout } = await runIt(file)
    expect(stdout.match(DEMO_IDS)).toHaveLength(2)
  },
)
