// Brings the jars of Apache Kafka 4.4.0 into the cache and makes the class archive beside them. The
// first call needs Maven and the network and takes about half a minute, later calls take a moment.
// Safe in several processes at once and after a kill. Changes nothing outside the cache folder and
// Maven's own repository.
import { readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, exists, fillOnce } from './cache.ts'
import { ensureClassArchive } from './class-archive.ts'
import { copyJars } from './maven.ts'
import { checkRequirements, formatProblems } from './requirements.ts'

export const KAFKA_VERSION = '4.4.0'
const POM = fileURLToPath(new URL('./pom.xml', import.meta.url))
// What pom.xml resolves to. For the progress lines only.
const JARS = 45
const JARS_MB = 44

export interface KafkaDistribution {
  readonly version: string
  readonly libs: string
  readonly classPath: string
  // Undefined if none could be made: starts are slower then.
  readonly classArchive: string | undefined
}

export interface FetchOptions {
  readonly onProgress?: (line: string) => void
}

function kafkaFolder(): string {
  return join(cacheRoot(), `kafka-${KAFKA_VERSION}`)
}

// Whether Maven is needed no more.
export async function isKafkaCached(): Promise<boolean> {
  return exists(kafkaFolder())
}

export async function ensureKafka({
  onProgress = () => {},
}: FetchOptions = {}): Promise<KafkaDistribution> {
  const libs = kafkaFolder()
  const problems = await checkRequirements({ maven: !(await isKafkaCached()) })
  if (problems.length > 0) throw new Error(formatProblems(problems))

  const what = `Fetching Apache Kafka ${KAFKA_VERSION} (${JARS} jars, ${JARS_MB} MB, once)`
  await fillOnce({
    folder: libs,
    onWait: () => onProgress('Waiting for another process that fetches Apache Kafka'),
    fill: async (folder) => {
      onProgress(what)
      await copyJars({
        pom: POM,
        folder,
        onJars: (count) => onProgress(`${what}: ${Math.min(count, JARS)} of ${JARS}`),
      })
    },
  })

  const jars = (await readdir(libs)).filter((name) => name.endsWith('.jar')).toSorted()
  if (!jars.includes(`kafka_2.13-${KAFKA_VERSION}.jar`)) {
    throw new Error(`${libs} lacks the broker's jar. Delete the folder and start again.`)
  }
  const classPath = jars.map((jar) => join(libs, jar)).join(delimiter)
  const classArchive = await ensureClassArchive({ prefix: libs, classPath, onProgress })
  return { version: KAFKA_VERSION, libs, classPath, classArchive }
}
