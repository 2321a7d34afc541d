// `npm run audit` over all that a stage was sent: what an operator would be told.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Stage } from './stage.ts'

const AUDIT = fileURLToPath(new URL('../../relay/audit/main.ts', import.meta.url))
const FROM = '12h'
const MAX_OUTPUT_BYTES = 64 << 20

const run = promisify(execFile)

// Of each datahub what it says, and whether it finds that all is right.
export function runAuditCommand({
  datahubs,
  folder,
}: Stage): Promise<{ isRight: boolean; said: string }[]> {
  return Promise.all(
    datahubs.map(async ({ datahubId }) => {
      const args = ['--datahub', datahubId, '--from', FROM, '--dev', join(folder, 'state')]
      try {
        const options = { maxBuffer: MAX_OUTPUT_BYTES }
        const { stdout } = await run(process.execPath, [AUDIT, ...args], options)
        return { isRight: true, said: stdout }
      } catch (error) {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
        return { isRight: false, said: `${stdout}${stderr || String(error)}` }
      }
    }),
  )
}
