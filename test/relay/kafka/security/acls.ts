// The ACLs that docs/operations.md tells operators to set, read from its commands, so that what is tested is
// what is written there; and the means to grant them on a test broker.
import { readFile } from 'node:fs/promises'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
  type AclEntry,
} from 'kafkajs'
import { createAdmin, type KafkaSettings } from '../../../../relay/kafka/kafkajs.ts'

const DOCUMENT = new URL('../../../../docs/operations.md', import.meta.url)
// The names that the document uses for the instance and for a target topic.
const INSTANCE = 'ckafka-abcdefgh'
const TOPIC = 'orders'

const RESOURCES: Record<string, AclResourceTypes> = {
  '--topic': AclResourceTypes.TOPIC,
  '--group': AclResourceTypes.GROUP,
  '--transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
}
const OPERATIONS: Record<string, AclOperationTypes> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
}

// One operation on one resource, as one line of the document grants it.
export interface Right {
  // 'Write on --topic orders', for the names of tests.
  readonly name: string
  readonly operation: AclOperationTypes
  readonly resourceType: AclResourceTypes
  // With the document's instance and topic in it.
  readonly resourceName: string
  readonly isPrefix: boolean
}

// Lines such as `acl --operation Read --operation Write --topic orders   # why`.
export async function readRights(): Promise<Right[]> {
  const lines = (await readFile(DOCUMENT, 'utf8')).split('\n')
  const commands = lines.filter((line) => line.startsWith('acl --'))
  return commands.flatMap((line) => {
    const words = line.replace(/#.*/, '').trim().split(/\s+/).slice(1)
    const pairs = Array.from({ length: words.length / 2 }, (_, i) => words.slice(2 * i, 2 * i + 2))
    const [option, resourceName] = pairs.find(([name = '']) => name in RESOURCES) ?? []
    const isPrefix = pairs.some((pair) => pair.join(' ') === '--resource-pattern-type prefixed')
    return pairs.flatMap(([name, value = '']) => {
      if (name !== '--operation') return []
      const operation = OPERATIONS[value]
      const resourceType = RESOURCES[option ?? '']
      if (!operation || !resourceType || !resourceName) throw new Error(`not understood: ${line}`)
      const right = `${value} on ${option} ${resourceName}`
      return [{ name: right, operation, resourceType, resourceName, isPrefix }]
    })
  })
}

export interface Grant {
  readonly user: string
  readonly instance: string
  readonly topic: string
  readonly rights: readonly Right[]
}

// Resolves when the broker decides by all of them.
export async function grant(admin: KafkaSettings, grants: readonly Grant[]): Promise<void> {
  const acl = grants.flatMap(({ user, instance, topic, rights }) =>
    rights.map((right): AclEntry => ({
      principal: `User:${user}`,
      host: '*',
      permissionType: AclPermissionTypes.ALLOW,
      operation: right.operation,
      resourceType: right.resourceType,
      resourceName:
        right.resourceName === TOPIC ? topic : right.resourceName.replace(INSTANCE, instance),
      resourcePatternType: right.isPrefix
        ? ResourcePatternTypes.PREFIXED
        : ResourcePatternTypes.LITERAL,
    })),
  )
  const client = createAdmin(admin)
  await client.connect()
  try {
    await client.createAcls({ acl })
    // The answer says that they are written. The broker goes by its own copy, which is what it describes.
    while ((await countAcls(client)) < acl.length);
  } finally {
    await client.disconnect()
  }
}

async function countAcls(client: ReturnType<typeof createAdmin>): Promise<number> {
  const { resources } = await client.describeAcls({
    resourceType: AclResourceTypes.ANY,
    resourcePatternType: ResourcePatternTypes.ANY,
    operation: AclOperationTypes.ANY,
    permissionType: AclPermissionTypes.ANY,
  })
  return resources.reduce((sum, { acls }) => sum + acls.length, 0)
}
