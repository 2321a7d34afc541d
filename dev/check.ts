/**
 * `npm run check`: everything that can be said about the sources without running them: format, lint, types, the worker's generated types,
 * the description of the HTTP interface, and the size of the bundle that would be deployed. All steps run, then it fails if one did.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { gzipSync } from 'node:zlib'

/** docs/decisions/0016-bundle-budget.md: an isolate starts the slower, the larger it is. */
const MAX_BUNDLE_GZIP_BYTES = 80 * 1024

const steps: [name: string, run: () => Promise<boolean>][] = [
  ['format', () => run('oxfmt', '--check', '.')],
  [
    'lint',
    () =>
      run('oxlint', '--type-aware', '--deny-warnings', '--ignore-pattern', 'test/lint-fixtures/**'),
  ],
  ['types', () => run('tsc', '-b')],
  [
    'worker environment',
    () => run('wrangler', 'types', 'worker/env.d.ts', '--include-runtime=false', '--check'),
  ],
  ['openapi fresh', () => run(process.execPath, 'dev/openapi/main.ts', '--check')],
  ['openapi lint', () => run(process.execPath, 'dev/openapi/lint.ts')],
  ['bundle size', checkBundle],
]

const failed: string[] = []
for (const [name, step] of steps) {
  console.log(`\n== ${name}`)
  if (!(await step())) failed.push(name)
}
console.log(failed.length === 0 ? '\nAll checks hold.' : `\nFailed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1

async function checkBundle(): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'edgehub-bundle-'))
  try {
    if (!(await run('wrangler', 'deploy', '--dry-run', '--minify', '--outdir', dir))) return false
    const scripts = (await readdir(dir)).filter((name) => name.endsWith('.js'))
    const bytes = await Promise.all(
      scripts.map(async (name) => gzipSync(await readFile(join(dir, name))).length),
    )
    const total = bytes.reduce((a, b) => a + b, 0)
    console.log(
      `The worker is ${(total / 1024).toFixed(1)} KiB gzip of at most ${MAX_BUNDLE_GZIP_BYTES / 1024}.`,
    )
    return scripts.length > 0 && total <= MAX_BUNDLE_GZIP_BYTES
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function run(command: string, ...args: string[]): Promise<boolean> {
  const quiet = { WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CI: 'true' }
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...quiet } })
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`)
      resolve(false)
    })
    child.once('close', (code) => resolve(code === 0))
  })
}
