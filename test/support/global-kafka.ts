// Three real brokers for the whole run, started before the first test and ended after the last. One broker
// could not show the defects that matter. Where no Kafka can be had the run fails here, with what to do.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startKafka } from '../../dev/kafka/cluster.ts'
import { isKafkaCached } from '../../dev/kafka/fetch.ts'
import { checkRequirements, formatProblems } from '../../dev/kafka/requirements.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    // Bootstrap servers of the shared cluster.
    brokers: string[]
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const problems = await checkRequirements({ maven: !(await isKafkaCached()) })
  if (problems.length > 0) {
    throw new Error(`The tests need a real Kafka. ${formatProblems(problems)}`)
  }
  const dir = await mkdtemp(join(tmpdir(), 'edgehub-test-kafka-'))
  const cluster = await startKafka({
    dir,
    brokers: 3,
    quickFailover: true,
    log: (line) => console.log(line),
  })
  project.provide('brokers', [...cluster.brokers])
  return async () => {
    await cluster.kill()
    await rm(dir, { recursive: true, force: true })
  }
}
