// Builds the Java programs once per machine: the tutorial's, which sends messages, and one that calls any
// action. Each call is a JVM of its own. Building needs a JDK (javac), Maven and, the first time, the network.
import { mkdir, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { cacheRoot, fillOnce } from '../../dev/kafka/cache.ts'
import { copyJars } from '../../dev/kafka/maven.ts'
import {
  hashOf,
  missing,
  once,
  runCalls,
  runProgram,
  runTool,
  sourceOf,
  type Command,
} from './program.ts'
import {
  DEFAULT_MODE,
  type ActionAnswer,
  type ActionCall,
  type SdkAccess,
  type SdkMode,
  type SendOptions,
  type SendResult,
} from './sending.ts'

const SDK_VERSION = '3.1.430'
const POM = sourceOf('./java/pom.xml')
const SOURCES = ['SendMessages', 'CallActions'].map((name) =>
  sourceOf(`./java/src/main/java/${name}.java`),
)
const NEEDED = 'a JDK of version 17 or newer, and Maven'
// The quick compiler and the small collector: a program lives for a second.
const JVM = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']

/** The class path. Safe in several processes at once. After the first time it only looks into the cache. */
export const buildJavaClient = once(async () => {
  // Two entries, because the jars are large and the programs change more often than their pom.
  const root = join(cacheRoot(), `sdk-java-${SDK_VERSION}`)
  const libs = join(root, `libs-${await hashOf(POM)}`)
  const classes = join(root, `classes-${await hashOf(POM, ...SOURCES)}`)
  await fillOnce({
    folder: libs,
    fill: (folder) =>
      copyJars({ pom: POM, folder, onJars: () => {} }).catch((error: unknown) => {
        throw missing(error, 'mvn', NEEDED)
      }),
  })
  const jars = (await readdir(libs)).filter((name) => name.endsWith('.jar')).toSorted()
  const jarPath = jars.map((jar) => join(libs, jar)).join(delimiter)
  await fillOnce({
    folder: classes,
    fill: async (folder) => {
      await mkdir(folder, { recursive: true })
      const args = ['--release', '17', '-cp', jarPath, '-d', folder, ...SOURCES]
      await runTool({ command: 'javac', args, needed: NEEDED })
    },
  })
  return `${classes}${delimiter}${jarPath}`
})

// By the tutorial's program, which knows one way to sign.
export async function sendWithJava(options: SendOptions): Promise<SendResult> {
  const { datahub, messages, endpoint, secretId, secretKey } = options
  const program = await programOf('SendMessages', {
    ENDPOINT: endpoint,
    SECRET_ID: secretId,
    SECRET_KEY: secretKey,
    DATAHUB_ID: datahub,
  })
  return runProgram(program, messages) as Promise<SendResult>
}

export async function callWithJava(
  access: SdkAccess,
  calls: readonly ActionCall[],
  mode: SdkMode = DEFAULT_MODE,
): Promise<ActionAnswer[]> {
  return runCalls(await programOf('CallActions'), access, calls, mode)
}

async function programOf(main: string, env: Record<string, string> = {}): Promise<Command> {
  const classPath = await buildJavaClient()
  return { command: 'java', args: [...JVM, '-cp', classPath, main], needed: NEEDED, env }
}
