// The class-data archive (AppCDS) of the Kafka jars: it more than halves the time a broker takes to
// start. Made once per JDK by letting a throw-away node run and dump its classes at exit. An archive
// that does not fit the JVM costs the speed and nothing else, and so does a failure to make one.
import { createHash } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exists, fillOnce } from './cache.ts'
import { createClusterId } from './cluster-id.ts'
import { KafkaNode } from './node.ts'
import { findFreePorts } from './ports.ts'
import { serverProperties } from './properties.ts'
import { runTool } from './requirements.ts'

export interface ArchiveOptions {
  // The name of the archive's folder begins with this.
  readonly prefix: string
  // Spelled out jar by jar: the JVM refuses an archive made with a wildcard.
  readonly classPath: string
  readonly onProgress: (line: string) => void
}

// The path of the archive, or undefined to go on without.
export async function ensureClassArchive(options: ArchiveOptions): Promise<string | undefined> {
  const { prefix, classPath, onProgress } = options
  const folder = `${prefix}-cds-${await jdkKey(classPath)}`
  await fillOnce({
    folder,
    onWait: () => onProgress('Waiting for another process that prepares Kafka'),
    fill: async (temporary) => {
      onProgress('Preparing Kafka for quick starts (once, about 10 s)')
      try {
        await dump(join(temporary, 'kafka.jsa'), classPath)
      } catch (error) {
        // The folder without an archive records that it was tried: no second attempt at each start.
        await rm(join(temporary, 'kafka.jsa'), { force: true })
        await writeFile(join(temporary, 'failed.txt'), String(error))
      }
    },
  })
  const archive = join(folder, 'kafka.jsa')
  return (await exists(archive)) ? archive : undefined
}

// An archive belongs to one build of the JDK and to one class path.
async function jdkKey(classPath: string): Promise<string> {
  const java = await runTool('java', ['-version'])
  const text = java.status === 'missing' ? '' : java.text
  return createHash('sha256').update(`${text}\n${classPath}`).digest('hex').slice(0, 12)
}

async function dump(archive: string, classPath: string): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'edgehub-kafka-cds-'))
  try {
    const [port = 0, controllerPort = 0] = await findFreePorts(2)
    const address = { id: 1, port, controllerPort }
    const node = new KafkaNode({
      id: 1,
      port,
      dir,
      clusterId: createClusterId(),
      properties: (dataDir) =>
        serverProperties({
          node: address,
          nodes: [address],
          dataDir,
          quickFailover: false,
          forThroughput: false,
        }),
      classPath,
      jvmArgs: ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      brokerArgs: [`-XX:ArchiveClassesAtExit=${archive}.new`],
      log: () => {},
    })
    await node.start()
    await node.stop()
    await rename(`${archive}.new`, archive)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
