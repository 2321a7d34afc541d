// Builds and runs the programs of the SDKs that are not Node's: what they share. A program gets one JSON on standard input, answers
// with one on standard output, and ends. A tool that this machine lacks is an error that names it: nothing is left out silently.
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isErrno } from '../../dev/files.ts'
import type { ActionAnswer, ActionCall, SdkAccess, SdkMode } from './sending.ts'

const exec = promisify(execFile)
// The programs call this machine, and some SDKs send even that to a proxy.
const PROXY = /^(?:https?|all)_proxy$/i

export interface Command {
  readonly command: string
  readonly args: readonly string[]
  // What to install when the command is not there: 'Go 1.21 or newer'.
  readonly needed: string
  readonly env?: Readonly<Record<string, string>>
}

// Runs a tool that builds something, in the folder given or in this process's.
export async function runTool(
  { command, args, needed, env }: Command,
  cwd?: string,
): Promise<void> {
  const options = { ...(cwd === undefined ? {} : { cwd }), env: { ...process.env, ...env } }
  await exec(command, args, options).catch((error: unknown) => {
    throw missing(error, command, needed)
  })
}

/** One JSON in, one JSON out. @throws with what the program wrote to standard error, when it fails */
export async function runProgram(
  { command, args, needed, env }: Command,
  input: unknown,
): Promise<unknown> {
  const inherited = Object.entries(process.env).filter(([name]) => !PROXY.test(name))
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(inherited), ...env },
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', (error) => reject(missing(error, command, needed)))
  child.once('close', resolve)
  // A program that died early has closed its end; the exit code below says so.
  child.stdin.once('error', () => {})
  child.stdin.end(JSON.stringify(input))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code !== 0) {
    throw new Error(`${command} ${args.at(-1) ?? ''} ended with exit code ${code}:\n${stderr}`)
  }
  return JSON.parse(stdout)
}

// The programs that call any action all take this.
export async function runCalls(
  program: Command,
  access: SdkAccess,
  calls: readonly ActionCall[],
  mode: SdkMode,
): Promise<ActionAnswer[]> {
  const answers = (await runProgram(program, { ...access, ...mode, calls })) as ActionAnswer[]
  if (answers.length !== calls.length) {
    throw new Error(`${calls.length} calls, ${answers.length} answers`)
  }
  return answers
}

export function sourceOf(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}

// Names what was built from these files, so that a change of them builds anew.
export async function hashOf(...files: readonly string[]): Promise<string> {
  const digest = createHash('sha256')
  for (const file of files) digest.update(await readFile(file))
  return digest.digest('hex').slice(0, 12)
}

// What `make` resolves with, made once in this process; after a failure the next call tries again.
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}

// An error that says what to install, when the command is not there; any other as it is.
export function missing(error: unknown, command: string, needed: string): unknown {
  if (!isErrno(error, 'ENOENT')) return error
  return new Error(`${command} was not found. The tests of the SDKs need ${needed}.`)
}
