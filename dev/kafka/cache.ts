// The machine-wide cache of downloaded and built things: `${XDG_CACHE_HOME:-~/.cache}/edgehub`. An
// entry is a folder that exists either completely or not at all: it is filled under a temporary name
// and renamed. A lock keeps two processes from running Maven at once, because Maven's own local
// repository is not safe for that. The lock only saves work: if it is ever broken, the rename still
// decides who wins. Nothing here deletes a finished entry.
import { mkdir, mkdtemp, open, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isErrno } from '../files.ts'
import { isAlive } from '../processes.ts'

const TEMPORARY = '.fill-'
// Far longer than one jar takes: a folder in use must never go, even when the lock was broken.
const LEFT_OVER_MS = 3_600_000
const LOCK_TOUCH_MS = 1_000
// A holder touches its lock every second. An older lock belongs to a process that was killed in
// another pid namespace (a container with the same home), or to a pid that was given out again.
const LOCK_STALE_MS = 15_000
const LOCK_POLL_MS = 100

export interface FillOptions {
  readonly folder: string
  // Fills the given empty folder, or throws; what it threw reaches the caller.
  readonly fill: (folder: string) => Promise<void>
  // Called once if another process holds the lock.
  readonly onWait?: () => void
}

export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  // The XDG specification ignores relative values; an empty one counts as unset.
  const base = env['XDG_CACHE_HOME']
  return join(base?.startsWith('/') ? base : join(homedir(), '.cache'), 'edgehub')
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

// Makes `folder` if it is missing. Safe to call from several processes, and after a kill at any point:
// what a killed one left is removed by a later one.
export async function fillOnce({ folder, fill, onWait }: FillOptions): Promise<void> {
  if (await exists(folder)) return
  const parent = dirname(folder)
  await mkdir(parent, { recursive: true })
  await withLock(join(parent, 'maven.lock'), onWait, async () => {
    if (await exists(folder)) return
    await removeLeftOvers(parent)
    const temporary = await mkdtemp(join(parent, `${TEMPORARY}${basename(folder)}-`))
    try {
      await fill(temporary)
      await rename(temporary, folder)
    } catch (error) {
      await rm(temporary, { recursive: true, force: true })
      // Two fillers at once (a broken lock): the other one's folder is as good as ours.
      if (!(await exists(folder))) throw error
    }
  })
}

async function removeLeftOvers(parent: string): Promise<void> {
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(TEMPORARY)) continue
    const path = join(parent, entry)
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > LEFT_OVER_MS) await rm(path, { recursive: true, force: true })
  }
}

async function withLock<T>(
  path: string,
  onWait: (() => void) | undefined,
  run: () => Promise<T>,
): Promise<T> {
  let waited = false
  while (!(await tryLock(path))) {
    if (!waited) onWait?.()
    waited = true
    await pause(LOCK_POLL_MS)
  }
  const touch = setInterval(() => {
    const now = new Date()
    // Gone means that someone took us for dead; the rename in fillOnce settles it.
    utimes(path, now, now).catch(() => {})
  }, LOCK_TOUCH_MS)
  try {
    return await run()
  } finally {
    clearInterval(touch)
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  }
  // Two waiters may find the same dead lock, and the slower one may remove the lock of the faster.
  // Both then fill; see fillOnce.
  if (await isStale(path)) await rm(path, { force: true })
  return false
}

async function isStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path)
    if (Date.now() - mtimeMs > LOCK_STALE_MS) return true
    const pid = Number(await readFile(path, 'utf8'))
    // Empty: the holder is between open and write.
    return pid > 0 && !isAlive(pid)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}
