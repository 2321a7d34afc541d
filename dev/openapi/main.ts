/**
 * `npm run openapi`: writes `worker/static/openapi.json` anew from the sources. With `--check` it writes nothing, and fails when the file is
 * not what it would write.
 */
import { readFile, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { openApi } from './document.ts'

const path = fileURLToPath(new URL('../../worker/static/openapi.json', import.meta.url))
const text = `${JSON.stringify(openApi(), undefined, 1)}\n`

if (process.argv.includes('--check')) {
  if ((await readFile(path, 'utf8')) !== text) {
    console.error('worker/static/openapi.json is not what the sources say: npm run openapi')
    process.exitCode = 1
  }
} else {
  await writeFile(path, text)
}
