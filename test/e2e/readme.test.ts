import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inject, it } from 'vitest'
import { startStack } from '../support/stack.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

it('the code blocks of the README work as they stand', async ({ expect }) => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/```(sh|js)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({
    kind,
    text: text ?? '',
  }))
  const shell = blocks.find(({ kind, text }) => kind === 'sh' && text.includes('curl'))?.text ?? ''
  const script = blocks.find(({ kind }) => kind === 'js')?.text ?? ''
  const stack = await startStack({ brokers: inject('brokers') })
  const folder = await mkdtemp(join(tmpdir(), 'edgehub-readme-'))
  try {
    await symlink(stack.state, join(folder, '.edgehub'))
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
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
    expect(sdk.stdout.match(/datahub-[a-z0-9]{8}:demo:\d+:\d+:\d{13}:\d{13}/g)).toHaveLength(2)
  } finally {
    await stack.stop()
    await rm(folder, { recursive: true, force: true })
  }
})
