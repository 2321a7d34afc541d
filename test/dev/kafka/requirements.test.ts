import { describe, test } from 'vitest'
import {
  type ToolOutput,
  checkRequirements,
  javaProblem,
  mavenProblem,
  parseJavaMajor,
  parseMavenVersion,
} from '../../../dev/kafka/requirements.ts'

const ran = (text: string): ToolOutput => ({ status: 'ran', text })

describe('the version of Java', () => {
  test.for([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17)', 17],
    ['java version "1.8.0_292"\nJava(TM) SE Runtime Environment', 8],
    ['openjdk version "11.0.2" 2019-01-15', 11],
    ['openjdk version "21" 2023-09-19', 21],
    ['openjdk version "26-ea" 2026-03-17', 26],
    ['Picked up JAVA_TOOL_OPTIONS: -Dx="1"\nopenjdk version "17.0.1" 2021-10-19 LTS', 17],
    ['Picked up _JAVA_OPTIONS: -Xmx1g\r\njava version "9.0.4"\r\n', 9],
    ['', undefined],
    ['The operation couldn’t be completed. Unable to locate a Java Runtime.', undefined],
  ] as const)('of %j is %s', ([text, major], { expect }) => {
    expect(parseJavaMajor(text)).toBe(major)
  })

  test('is named when it is too old, with what to do', ({ expect }) => {
    const problem = javaProblem(ran('java version "1.8.0_292"'))
    expect(problem?.found).toBe('Java 8 is too old, Kafka 4 needs 17 or newer')
    expect(problem?.fix).toContain('Install a JDK of version 17 or newer')
  })

  test('may be 17 or anything newer', ({ expect }) => {
    expect(javaProblem(ran('openjdk version "17"'))).toBeUndefined()
    expect(javaProblem(ran('openjdk version "25.0.1" 2025-10-21'))).toBeUndefined()
    expect(javaProblem(ran('openjdk version "16.0.2"'))).toBeDefined()
  })
})

describe('the version of Maven', () => {
  test.for([
    ['Apache Maven 3.8.7\nMaven home: /usr/share/maven', [3, 8]],
    ['\u001b[1mApache Maven 3.9.11 (3e54c93a704957b63ee3494413a2b544fd3d825b)\u001b[m', [3, 9]],
    ['Apache Maven 4.0.0-rc-4 (bed0f8174bf728978f86fac533aa38a9511f3872)', [4, 0]],
    ['Error: JAVA_HOME is not defined correctly.', undefined],
  ] as const)('of %j is %s', ([text, version], { expect }) => {
    expect(parseMavenVersion(text)).toEqual(version)
  })

  test('is named when it is too old', ({ expect }) => {
    expect(mavenProblem(ran('Apache Maven 3.3.9'))?.found).toContain('Maven 3.3 is too old')
    expect(mavenProblem(ran('Apache Maven 3.6.0'))).toBeUndefined()
  })
})

describe('the list of problems', () => {
  test('names each missing or broken tool', async ({ expect }) => {
    const problems = await checkRequirements({
      maven: true,
      run: async (command) =>
        command === 'java'
          ? { status: 'missing' }
          : { status: 'failed', text: '\nError: JAVA_HOME is wrong\nmore' },
    })
    expect(problems.map(({ tool, found }) => [tool, found])).toEqual([
      ['java', 'Java was not found'],
      ['mvn', 'mvn -version failed: Error: JAVA_HOME is wrong'],
    ])
  })

  test('does not ask for Maven once the jars are in the cache', async ({ expect }) => {
    const asked: string[] = []
    const problems = await checkRequirements({
      maven: false,
      run: async (command) => {
        asked.push(command)
        return ran('openjdk version "17.0.15"')
      },
    })
    expect(asked).toEqual(['java'])
    expect(problems).toEqual([])
  })
})
