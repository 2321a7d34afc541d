/**
 * CreateDatahubTask: a task that takes reports over HTTP and writes them to one topic of this deployment's instance. What Tencent has
 * beside that is refused by name, never passed over.
 */
import * as z from 'zod/mini'
import { rejectionOf } from '../../parse.ts'
import type { TargetType } from '../../registry/control-plane.ts'
import { NewTask, SchemaId } from '../../registry/forms.ts'
import { rejected, type Rejected, type Rejection } from '../../rejection.ts'
import {
  ABSENT,
  formOf,
  KAFKA_PARAM,
  NEW_TASK,
  OTHER_PARAMS,
  TOPIC_PARAM,
  unsupportedOf,
} from './fields.ts'
import { SOURCE_TYPE, TASK_TYPE } from './show.ts'
import { answerOf, idsOf, renamed, taskAction, type PathNames } from './task-action.ts'

/**
 * TopicId, ResourceName and ZoneId go with the Topic and the Resource that are named beside them, and PartitionNum with the topic that is
 * there: what they say is not looked at, so that a request made for Tencent's service needs one change, its Resource.
 */
const KafkaParam = z.strictObject({
  SelfBuilt: z.boolean(),
  Resource: z.string(),
  Topic: z.optional(z.string()),
  TopicId: z.optional(z.string()),
  PartitionNum: z.optional(z.int()),
  ResourceName: z.optional(z.string()),
  ZoneId: z.optional(z.int()),
  QpsLimit: z.optional(z.int()),
  UseAutoCreateTopic: z.optional(z.boolean()),
  ...formOf(KAFKA_PARAM),
})

const TopicParam = z.strictObject({
  Resource: z.string(),
  TopicId: z.optional(z.string()),
  UseAutoCreateTopic: z.optional(z.boolean()),
  ...formOf(TOPIC_PARAM),
})

const Resource = z.strictObject({
  Type: z.string(),
  KafkaParam: z.optional(KafkaParam),
  TopicParam: z.optional(TopicParam),
  ...formOf(OTHER_PARAMS),
})
type Resource = z.infer<typeof Resource>

const CreateDatahubTask = z.strictObject({
  TaskName: z.string(),
  TaskType: z.string(),
  SourceResource: Resource,
  TargetResource: Resource,
  SchemaId: z.optional(z.string()),
  Description: z.optional(z.string()),
  ...formOf(NEW_TASK),
})
type CreateDatahubTask = z.infer<typeof CreateDatahubTask>

export const createDatahubTask = taskAction(
  CreateDatahubTask,
  async (parameters, { credential }, { control, instance }) => {
    const read = newTaskOf(parameters, instance)
    if (read.status === 'rejected') return read
    const created = await control.tasks.create(credential, read.task)
    return answerOf(created, idsOf, read.names)
  },
)

type Task = NewTask & { targetType: TargetType }

type Read<T> = ({ status: 'read'; names: PathNames } & T) | Rejected

function newTaskOf(parameters: CreateDatahubTask, instance: string): Read<{ task: Task }> {
  const { TaskName, TaskType, SourceResource, TargetResource, SchemaId: schemaId } = parameters
  const unsupported =
    (TaskType === TASK_TYPE ? undefined : otherType('TaskType', TaskType, TASK_TYPE)) ??
    sourceProblem(SourceResource) ??
    unsupportedOf(NEW_TASK, parameters)
  if (unsupported) return rejected(unsupported)
  const target = targetOf(TargetResource, instance)
  if (target.status === 'rejected') return target
  // One of Tencent's own form is as unknown as any other.
  if (schemaId && !SchemaId.safeParse(schemaId).success) {
    return rejected({ reason: 'schema_not_found', schemaId })
  }

  const names = { ...target.names, name: 'TaskName', description: 'Description' }
  const input = {
    name: TaskName,
    description: parameters.Description,
    schemaId: schemaId || undefined,
    ...target.input,
  }
  const parsed = NewTask.safeParse(input, { reportInput: true })
  // There are no others: `targetOf` has refused them.
  const targetType = TargetResource.Type === 'TOPIC' ? 'TOPIC' : 'KAFKA'
  if (parsed.success) return { status: 'read', task: { ...parsed.data, targetType }, names }
  return rejected(renamed(rejectionOf(parsed.error), names))
}

function sourceProblem(source: Resource): Rejection | undefined {
  if (source.Type !== SOURCE_TYPE) return otherType('SourceResource.Type', source.Type, SOURCE_TYPE)
  return unsupportedOf(BESIDE_HTTP, source, 'SourceResource.')
}

/** The parameters that a resource of this type has not. */
const BESIDE_HTTP = { KafkaParam: ABSENT, TopicParam: ABSENT, ...OTHER_PARAMS }
const BESIDE_KAFKA = { TopicParam: ABSENT, ...OTHER_PARAMS }
const BESIDE_TOPIC = { KafkaParam: ABSENT, ...OTHER_PARAMS }

type Input = Pick<z.input<typeof NewTask>, 'topic' | 'qpsLimit' | 'createTopic'>

function targetOf(target: Resource, instance: string): Read<{ input: Input }> {
  const { Type, KafkaParam: kafka, TopicParam: topic } = target
  switch (Type) {
    case 'KAFKA': {
      const other = unsupportedOf(BESIDE_KAFKA, target, 'TargetResource.')
      return other ? rejected(other) : kafkaTarget(kafka, instance)
    }
    case 'TOPIC': {
      const other = unsupportedOf(BESIDE_TOPIC, target, 'TargetResource.')
      return other ? rejected(other) : topicTarget(topic)
    }
    default:
      return rejected(otherType('TargetResource.Type', Type, 'KAFKA or TOPIC'))
  }
}

function kafkaTarget(param: Resource['KafkaParam'], instance: string): Read<{ input: Input }> {
  const at = 'TargetResource.KafkaParam'
  if (!param) return rejected({ reason: 'missing', path: at })
  const unsupported = unsupportedOf(KAFKA_PARAM, param, `${at}.`)
  if (unsupported) return rejected(unsupported)
  const { Resource: named, Topic: topic, PartitionNum: partitions, QpsLimit: qpsLimit } = param
  if (named !== instance) {
    return rejected({ reason: 'instance_not_found', instance: named, own: instance })
  }
  const input = { qpsLimit, createTopic: param.UseAutoCreateTopic ? { partitions } : undefined }
  const names = { qpsLimit: `${at}.QpsLimit`, 'createTopic.partitions': `${at}.PartitionNum` }
  return oneTopic(topic, `${at}.Topic`, input, names)
}

function topicTarget(param: Resource['TopicParam']): Read<{ input: Input }> {
  const at = 'TargetResource.TopicParam'
  if (!param) return rejected({ reason: 'missing', path: at })
  const unsupported = unsupportedOf(TOPIC_PARAM, param, `${at}.`)
  if (unsupported) return rejected(unsupported)
  const input = { createTopic: param.UseAutoCreateTopic ? {} : undefined }
  return oneTopic(param.Resource, `${at}.Resource`, input, {})
}

function oneTopic(
  topic: string | undefined,
  path: string,
  input: Omit<Input, 'topic'>,
  names: PathNames,
): Read<{ input: Input }> {
  if (!topic) return rejected({ reason: 'missing', path })
  if (topic.includes(',')) {
    const supported = 'name one topic, and make a task for each other one'
    return rejected({ reason: 'not_supported', path, what: 'more than one topic', supported })
  }
  return { status: 'read', input: { ...input, topic }, names: { ...names, topic: path } }
}

function otherType(path: string, what: string, supported: string): Rejection {
  return { reason: 'not_supported', path, what, supported: `use ${supported}` }
}
