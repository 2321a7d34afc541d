/**
 * The load on the edge, from a process of its own: sends the same requests over and over, on connections that stay open, each the next
 * one when its answer is there. Every answer is compared with what it has to be; one that differs ends the run.
 */
import process from 'node:process'
import { Pool } from 'undici'

export interface Load {
  origin: string
  method: 'GET' | 'POST'
  path: string
  /** Of each caller; the requests take turns. */
  headers: Record<string, string>[]
  body?: string
  requests: number
  connections: number
  /** How often this text is in each answer. */
  expected: { text: string; times: number }
}

export type LoadDone = { status: 'done'; seconds: number } | { status: 'failed'; problem: string }

process.on('message', (load: Load) => {
  void run(load).then((done: LoadDone) => process.send?.(done))
})

async function run(load: Load): Promise<LoadDone> {
  const { origin, method, path, headers, body, requests, connections } = load
  const pool = new Pool(origin, { connections, pipelining: 1 })
  let left = requests
  const started = performance.now()
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const own = headers[left % headers.length] ?? {}
      const answer = await pool.request({
        method,
        path,
        headers: own,
        ...(body !== undefined && { body }),
      })
      const text = await answer.body.text()
      const { expected } = load
      if (answer.statusCode !== 200 || text.split(expected.text).length - 1 !== expected.times) {
        left = 0
        throw new Error(
          `${method} ${path} was answered ${answer.statusCode}: ${text.slice(0, 500)}`,
        )
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: connections }, one))
    return { status: 'done', seconds: (performance.now() - started) / 1000 }
  } catch (error) {
    return { status: 'failed', problem: error instanceof Error ? error.message : String(error) }
  } finally {
    await pool.destroy()
  }
}
