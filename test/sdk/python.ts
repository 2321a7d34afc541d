// Fetches the Python SDK once per machine, in the versions and with the hashes of requirements.txt, and calls actions with it. Each
// call is a process of its own. Needs Python 3.10 or newer with pip and, the first time, the network. Touches no Python environment:
// the packages lie in a folder of the cache.
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

const SDK_VERSION = '3.1.195'
const REQUIREMENTS = sourceOf('./python/requirements.txt')
const PROGRAM = sourceOf('./python/call_actions.py')
const COMMAND = { command: 'python3', needed: 'Python 3.10 or newer with pip' }
// Wheels only: nothing of a package is run to install it.
const INSTALL = ['install', '--quiet', '--require-hashes', '--only-binary', ':all:', '--no-deps']

/** The folder of the packages. Safe in several processes at once. After the first time it only looks into the cache. */
export const fetchPythonSdk = once(async () => {
  const root = join(cacheRoot(), `sdk-python-${SDK_VERSION}`)
  const libs = join(root, `libs-${await hashOf(REQUIREMENTS)}`)
  await fillOnce({
    folder: libs,
    fill: async (folder) => {
      // --target rather than a venv: some systems have pip, but no ensurepip.
      const args = ['-m', 'pip', ...INSTALL, '--target', folder, '--requirement', REQUIREMENTS]
      await runTool({ ...COMMAND, args })
    },
  })
  return libs
})

export async function callWithPython(
  access: SdkAccess,
  calls: readonly ActionCall[],
  mode: SdkMode = DEFAULT_MODE,
): Promise<ActionAnswer[]> {
  const env = { PYTHONPATH: await fetchPythonSdk(), PYTHONDONTWRITEBYTECODE: '1' }
  return runCalls({ ...COMMAND, args: [PROGRAM], env }, access, calls, mode)
}
