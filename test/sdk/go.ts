// Builds the Go program once per machine, with the SDK's common module in the version and with the hash of go.mod and go.sum, and
// calls actions with it. Each call is a process of its own. Needs Go and, the first time, the network. Uses the user's own module
// and build caches, and writes nothing beside the sources.
import { join } from 'node:path'
import { cacheRoot, fillOnce } from '../../dev/kafka/cache.ts'
import { hashOf, once, runCalls, runTool, sourceOf } from './program.ts'
import {
  DEFAULT_MODE,
  type ActionAnswer,
  type ActionCall,
  type SdkAccess,
  type SdkMode,
} from './sending.ts'

const SDK_VERSION = '1.3.211'
const FOLDER = sourceOf('./go')
const FILES = ['go.mod', 'go.sum', 'main.go', 'requests.go'].map((name) => join(FOLDER, name))
const NEEDED = 'Go 1.21 or newer'
const PROGRAM = 'call-actions'

/** The program. Safe in several processes at once. After the first time it only looks into the cache. */
export const buildGoClient = once(async () => {
  const root = join(cacheRoot(), `sdk-go-${SDK_VERSION}`)
  const bin = join(root, `bin-${await hashOf(...FILES)}`)
  await fillOnce({
    folder: bin,
    fill: async (folder) => {
      // What go.sum says, with the toolchain that is here; no C compiler and no git are asked.
      const args = ['build', '-mod=readonly', '-buildvcs=false', '-trimpath']
      const env = { GOTOOLCHAIN: 'local', GOWORK: 'off', CGO_ENABLED: '0' }
      const output = ['-o', join(folder, PROGRAM), '.']
      await runTool({ command: 'go', args: [...args, ...output], needed: NEEDED, env }, FOLDER)
    },
  })
  return join(bin, PROGRAM)
})

export async function callWithGo(
  access: SdkAccess,
  calls: readonly ActionCall[],
  mode: SdkMode = DEFAULT_MODE,
): Promise<ActionAnswer[]> {
  return runCalls({ command: await buildGoClient(), args: [], needed: NEEDED }, access, calls, mode)
}
