/**
 * A state folder belongs to one stack at a time. When the stack before was killed, its children may live on; they are ended here, by the
 * pids that it left in dev.json, and only if they still are what they were.
 */
import { readFile, rm } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { commandLine, isAlive } from './processes.ts'
import { Refusal } from './refusal.ts'

const Left = z.object({
  pids: z.object({ stack: z.int(), worker: z.array(z.int()), relay: z.array(z.int()) }),
})

const OURS = /wrangler|workerd|esbuild|relay\/main\.ts/
const END_DEADLINE_MS = 10_000
const POLL_MS = 50

/** @throws Refusal when a living stack has the folder */
export async function openState(devJsonPath: string): Promise<void> {
  const left = await readLeft(devJsonPath)
  if (!left) return
  const { stack, worker, relay } = left.pids
  if (stack !== process.pid && isAlive(stack) && (await commandLine(stack)).includes('stack.ts')) {
    throw new Refusal(
      `Another local stack (pid ${stack}) uses this state folder: ${devJsonPath}. End it, or choose another folder with --state.`,
    )
  }
  for (const pid of [...relay, ...worker]) {
    if (!OURS.test(await commandLine(pid))) continue
    process.kill(pid, 'SIGTERM')
    const deadline = Date.now() + END_DEADLINE_MS
    while (isAlive(pid) && Date.now() < deadline) await delay(POLL_MS)
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  }
  await rm(devJsonPath, { force: true })
}

async function readLeft(path: string): Promise<z.infer<typeof Left> | undefined> {
  try {
    return Left.safeParse(JSON.parse(await readFile(path, 'utf8'))).data
  } catch {
    return undefined
  }
}
