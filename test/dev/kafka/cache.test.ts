import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { cacheRoot, fillOnce } from '../../../dev/kafka/cache.ts'

const DEFAULT_ROOT = join(homedir(), '.cache/edgehub')
let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'edgehub-cache-test-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('a cache entry', () => {
  test('is filled once by callers that come together, and nothing else is left', async ({
    expect,
  }) => {
    const folder = join(root, 'entry')
    let fills = 0
    const fill = async (temporary: string) => {
      fills += 1
      await writeFile(join(temporary, 'file'), 'content')
    }
    await Promise.all([1, 2, 3].map(() => fillOnce({ folder, fill })))
    await fillOnce({ folder, fill })
    expect(fills).toBe(1)
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('content')
    expect(await readdir(root)).toEqual(['entry'])
  })

  test('does not exist after a failure, and the next caller fills it', async ({ expect }) => {
    const folder = join(root, 'entry')
    const failed = fillOnce({ folder, fill: () => Promise.reject(new Error('offline')) })
    await expect(failed).rejects.toThrow('offline')
    expect(await readdir(root)).toEqual([])
    await fillOnce({ folder, fill: async () => {} })
    expect(await readdir(root)).toEqual(['entry'])
  })

  test('is filled in spite of the lock and the half-made folder of a killed process', async ({
    expect,
  }) => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    await writeFile(join(root, 'maven.lock'), String(dead))
    const leftOver = join(root, '.fill-entry-abc123')
    await mkdir(leftOver)
    await utimes(leftOver, 0, 0)
    let waits = 0
    await fillOnce({
      folder: join(root, 'entry'),
      fill: async () => {},
      onWait: () => {
        waits += 1
      },
    })
    expect(waits).toBe(1)
    expect(await readdir(root)).toEqual(['entry'])
  })
})

test.for([
  [{ XDG_CACHE_HOME: '/var/cache/me' }, '/var/cache/me/edgehub'],
  [{ XDG_CACHE_HOME: '' }, DEFAULT_ROOT],
  [{ XDG_CACHE_HOME: 'relative' }, DEFAULT_ROOT],
  [{}, DEFAULT_ROOT],
] as const)('the cache of %j is in %s', ([env, path], { expect }) => {
  expect(cacheRoot(env)).toBe(path)
})
