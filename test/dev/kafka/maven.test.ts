import { test } from 'vitest'
import { createJarCounter } from '../../../dev/kafka/maven.ts'

const CENTRAL = 'https://repo.maven.apache.org/maven2'

test('the progress counts the jars of the pom, not those of Maven', ({ expect }) => {
  const isJar = createJarCounter()
  const counted = [
    `[INFO] Downloading from central: ${CENTRAL}/org/apache/maven/plugins/maven-dependency-plugin/2.8/maven-dependency-plugin-2.8.jar`,
    `[INFO] Downloaded from central: ${CENTRAL}/org/apache/maven/plugins/maven-dependency-plugin/2.8/maven-dependency-plugin-2.8.jar (153 kB at 1.1 MB/s)`,
    `[INFO] Downloaded from central: ${CENTRAL}/org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.pom (9 kB at 1.1 MB/s)`,
    `[INFO] Downloading from central: ${CENTRAL}/org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.jar`,
    `[INFO] Downloaded from mirror: ${CENTRAL}/org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.jar (1.3 MB at 9 MB/s)`,
    '[INFO] --- maven-dependency-plugin:2.8:copy-dependencies (default-cli) @ kafka-dist ---',
    `[INFO] Downloaded from central: ${CENTRAL}/commons-io/commons-io/1.4/commons-io-1.4.jar (109 kB at 2 MB/s)`,
  ].filter(isJar)
  expect(counted).toHaveLength(1)
  expect(counted[0]).toContain('kafka_2.13-4.4.0.jar (1.3 MB')
})
