import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function lint(path: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile('oxlint', ['--deny-warnings', path], { cwd: root }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    )
  })
}

it.for([
  ['relay/imports-worker.ts', 'The relay knows the worker by #contract alone.'],
  ['worker/imports-node.ts', 'The worker uses web platform APIs only.'],
  ['worker/imports-zod.ts', 'In the worker zod is zod/mini.'],
  ['contract/imports-hono.ts', 'The contract imports zod/mini and its siblings, nothing else.'],
  ['contract/imports-zod.ts', 'The contract imports zod/mini and its siblings, nothing else.'],
] as const)('lint refuses test/lint-fixtures/%s: %s', async ([file, message], { expect }) => {
  const { code, output } = await lint(`test/lint-fixtures/${file}`)
  expect(code).not.toBe(0)
  expect(output).toContain(message)
})

it('lint accepts the sources that keep the boundaries', async ({ expect }) => {
  const { code, output } = await lint('relay')
  expect(output).toContain('0 errors')
  expect(code).toBe(0)
})
