/**
 * A task as Tencent's DescribeDatahubTaskRes and DatahubTaskInfo: all of their fields. What there is not is null where Tencent's models
 * allow that, otherwise empty or the documented default, because the typed SDKs' users read these fields without looking for null.
 */
import type { TargetProblem } from '#contract'
import type { ManagedTask } from '../../registry/control-plane.ts'
import type { TaskStatus } from '../../registry/directory.ts'
import { KAFKA_PARAM, OTHER_PARAMS, TASK, TOPIC_PARAM, valuesOf } from './fields.ts'

export const TASK_TYPE = 'SOURCE'
export const SOURCE_TYPE = 'HTTP'

/** The one step of making a task that can take time: a relay makes the topic, if it may, and looks whether it can write to it. */
const STEP = 'CheckTarget'

const CREATING = 0
const FAILED = -1

/** DatahubTaskInfo, of DescribeDatahubTasks. */
export function taskInfo(task: ManagedTask) {
  const isMade = task.status !== CREATING && task.status !== FAILED
  return {
    ...common(task),
    TaskProgress: isMade ? 100 : 0,
    TaskCurrentStep: STEP,
    StepList: [STEP],
  }
}

/** DescribeDatahubTaskRes. */
export function taskDetail(task: ManagedTask) {
  return {
    ...common(task),
    // Consumers of the task. It has none: it is what reports.
    Connections: [],
    TransformParam: null,
    TransformsParam: null,
    SchemaId: task.schema?.schemaId ?? '',
    SchemaName: task.schema?.name ?? '',
    Tags: [],
    IsolateStatus: NOT_ISOLATED,
  }
}

const NOT_ISOLATED = 1

function common(task: ManagedTask) {
  return {
    TaskId: task.taskId,
    TaskName: task.name,
    TaskType: TASK_TYPE,
    Status: task.status,
    SourceResource: resource({ Type: SOURCE_TYPE }),
    TargetResource: resource(
      task.targetType === 'KAFKA'
        ? { Type: 'KAFKA', KafkaParam: kafkaParam(task) }
        : { Type: 'TOPIC', TopicParam: topicParam(task) },
    ),
    CreateTime: timeText(task.created),
    DatahubId: task.datahub,
    Description: task.description,
    ErrorMessage:
      task.status === FAILED && task.problem ? problemText(task.topic, task.problem) : '',
    WarnMessage: warning(task),
    ...valuesOf(TASK),
  }
}

function resource<T extends { Type: string }>(own: T) {
  return { KafkaParam: null, TopicParam: null, ...own, ...valuesOf(OTHER_PARAMS) }
}

function topicParam({ topic, createTopic }: ManagedTask) {
  return {
    ...valuesOf(TOPIC_PARAM),
    Resource: topic,
    TopicId: topic,
    UseAutoCreateTopic: createTopic !== undefined,
  }
}

function kafkaParam({ instance, topic, partitions, qpsLimit, createTopic }: ManagedTask) {
  return {
    ...valuesOf(KAFKA_PARAM),
    // The instance is named by its id, as one of Tencent's.
    SelfBuilt: false,
    Resource: instance,
    ResourceName: instance,
    ZoneId: null,
    Topic: topic,
    TopicId: topic,
    PartitionNum: partitions ?? null,
    QpsLimit: qpsLimit,
    UseAutoCreateTopic: createTopic !== undefined,
  }
}

/** Of a task that goes on all the same. */
function warning({ status, topic, problem, nextTopic, nextProblem }: ManagedTask): string {
  const warnings: string[] = []
  if (problem && RUNS.has(status)) warnings.push(problemText(topic, problem))
  if (nextTopic !== undefined) {
    const why = nextProblem ? problemText(nextTopic, nextProblem) : 'No relay has looked at it yet.'
    warnings.push(`The topic is to be changed to ${nextTopic}. ${why}`)
  }
  return warnings.join(' ')
}

/** The states in which a problem of the topic has not stopped the task: running, pausing, paused, resuming. */
const RUNS: ReadonlySet<number> = new Set<TaskStatus>([1, 5, 6, 8])

const PROBLEMS: Record<TargetProblem, string> = {
  topic_not_found: 'does not exist',
  topic_not_created: "does not exist, and could not be created; the relay's log says why",
  not_authorized: 'is closed to the relay: Kafka does not let it write there, or not create it',
  replication_too_low: 'has too few replicas, fewer than MIN_IN_SYNC_REPLICAS of the relay',
}

function problemText(topic: string, problem: TargetProblem): string {
  return `The topic ${topic} ${PROBLEMS[problem]}.`
}

/** The format is Tencent's for times in texts; that of a task's is not documented. UTC, to the second. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}
