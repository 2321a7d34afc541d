import { test } from 'vitest'
import {
  type NodeAddress,
  type PropertiesOptions,
  serverProperties,
} from '../../../dev/kafka/properties.ts'

const nodes = [1, 2, 3].map((id) => ({
  id,
  port: 19082 + 10 * id,
  controllerPort: 19083 + 10 * id,
}))

function parse(
  count: number,
  quickFailover = false,
  secured: Pick<PropertiesOptions, 'security'> & Pick<NodeAddress, 'secured'> = {},
): Map<string, string> {
  const [first = { id: 0, port: 0, controllerPort: 0 }] = nodes
  const node = secured.secured ? { ...first, secured: secured.secured } : first
  const text = serverProperties({
    node,
    nodes: nodes.slice(0, count),
    dataDir: '/a\\b/data',
    quickFailover,
    forThroughput: false,
    security: secured.security,
  })
  const lines = text.trimEnd().split('\n')
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.replace(/^[^=]*=/, '')]),
  )
}

test.for([
  [1, '1', '1', '1@127.0.0.1:19093'],
  [3, '3', '2', '1@127.0.0.1:19093,2@127.0.0.1:19103,3@127.0.0.1:19113'],
] as const)(
  '%i node(s) keep %s replicas, of which %s must be in sync',
  ([count, replicas, inSync, voters], { expect }) => {
    const properties = parse(count)
    for (const [key, value] of properties) {
      if (key.endsWith('replication.factor')) expect([key, value]).toEqual([key, replicas])
      if (/min\.(isr|insync\.replicas)$/.test(key)) expect([key, value]).toEqual([key, inSync])
    }
    expect(properties.get('controller.quorum.voters')).toBe(voters)
    expect(properties.get('listeners')).toBe(
      'PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093',
    )
  },
)

test('the times of failover are those of production unless asked for', ({ expect }) => {
  expect(parse(3).get('broker.session.timeout.ms')).toBeUndefined()
  expect(parse(3, true).get('broker.session.timeout.ms')).toBe('3000')
})

test('a backslash in a folder name survives the Java reader', ({ expect }) => {
  expect(parse(1).get('log.dirs')).toBe('/a\\\\b/data')
})

test('a secured node keeps its plain listener, and asks at two more; without that nothing of it is there', ({
  expect,
}) => {
  const plain = parse(1)
  expect([...plain.keys()].filter((key) => /ssl|sasl|authorizer|super/.test(key))).toEqual([])
  const secured = parse(1, false, {
    secured: { passwordPort: 19094, certificatePort: 19095 },
    security: {
      keystore: '/broker.pem',
      clientCa: '/ca.pem',
      users: { chief: 'secret' },
      superUsers: ['User:chief'],
    },
  })
  expect(secured.get('advertised.listeners')).toBe(
    'PLAINTEXT://127.0.0.1:19092,PASSWORD://127.0.0.1:19094,CERTIFICATE://127.0.0.1:19095',
  )
  expect(secured.get('super.users')).toBe('User:ANONYMOUS;User:chief')
  expect(secured.get('listener.name.certificate.ssl.client.auth')).toBe('required')
})
