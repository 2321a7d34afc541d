/**
 * Metadata as the cluster gives it, with what kafkajs leaves out: the topics' ids and what the relay's user may do with them. Version 10
 * (Kafka 2.8), or version 8 (2.3), which has no ids: https://kafka.apache.org/protocol#The_Messages_Metadata
 */
import {
  createEncoder,
  send,
  type BrokerAddress,
  type Decoder,
  type Encoder,
  type LoneBroker,
} from './kafkajs.ts'

export interface PartitionMetadata {
  code: number
  partition: number
  /** -1: it has none. */
  leader: number
  replicas: number[]
  inSync: number[]
}

export interface TopicMetadata {
  code: number
  name: string
  /** As Kafka's tools write it; undefined where the cluster gives none. */
  id: string | undefined
  partitions: PartitionMetadata[]
  /** A bit for each operation by its code (org.apache.kafka.common.acl.AclOperation); undefined where it was not asked for. */
  operations: number | undefined
}

export interface Metadata {
  clusterId: string | undefined
  brokers: BrokerAddress[]
  /** Broker id of whom topics are created at; -1: nobody is known. Without ZooKeeper it is any broker. */
  controller: number
  topics: TopicMetadata[]
}

export interface MetadataQuestion {
  /** Undefined: all topics. */
  topics: readonly string[] | undefined
  withOperations?: boolean
}

const API_KEY = 3
const COMPACT_VERSION = 10
const OLD_VERSION = 8
const UUID_BYTES = 16
const NO_UUID = Buffer.alloc(UUID_BYTES)
const NO_ID = NO_UUID.toString('base64url')
const OPERATIONS_NOT_ASKED = -2_147_483_648

/** @throws when the broker can't be asked */
export async function readMetadata(
  broker: LoneBroker,
  question: MetadataQuestion,
): Promise<Metadata> {
  const isCompact = (broker.versions?.[API_KEY]?.maxVersion ?? 0) >= COMPACT_VERSION
  return send(broker, {
    apiKey: API_KEY,
    apiName: 'Metadata',
    apiVersion: isCompact ? COMPACT_VERSION : OLD_VERSION,
    encode: () => encode(question, isCompact),
    decode: (decoder) => decode(decoder, isCompact),
  })
}

function encode({ topics, withOperations = false }: MetadataQuestion, isCompact: boolean): Encoder {
  const encoder = createEncoder()
  if (isCompact) {
    // The tags of the request's header, none, stand before its body: kafkajs writes the header without them.
    encoder.writeUVarInt(0)
    if (topics) {
      encoder.writeUVarIntArray(
        topics.map((name) =>
          createEncoder().writeBuffer(NO_UUID).writeUVarIntString(name).writeUVarInt(0),
        ),
        'object',
      )
    } else encoder.writeUVarInt(0)
  } else if (topics) {
    encoder.writeArray(
      topics.map((name) => createEncoder().writeString(name)),
      'object',
    )
  } else encoder.writeInt32(-1)
  // No topic is made for having been asked for.
  encoder.writeBoolean(false).writeBoolean(false).writeBoolean(withOperations)
  return isCompact ? encoder.writeUVarInt(0) : encoder
}

function decode(decoder: Decoder, isCompact: boolean): Metadata {
  const text = (d: Decoder) => (isCompact ? d.readUVarIntString() : d.readString())
  const array = <T>(d: Decoder, read: (d: Decoder) => T): T[] =>
    (isCompact ? d.readUVarIntArray(read) : d.readArray(read)) ?? []
  const tags = (d: Decoder) => void (isCompact && d.readTaggedFields())
  const int = (d: Decoder) => d.readInt32()

  const brokerOf = (d: Decoder): BrokerAddress => {
    const broker = { nodeId: d.readInt32(), host: text(d) ?? '', port: d.readInt32() }
    text(d)
    tags(d)
    return broker
  }
  const partitionOf = (d: Decoder): PartitionMetadata => {
    const code = d.readInt16()
    const partition = d.readInt32()
    const leader = d.readInt32()
    d.readInt32()
    const replicas = array(d, int)
    const inSync = array(d, int)
    array(d, int)
    tags(d)
    return { code, partition, leader, replicas, inSync }
  }
  const topicOf = (d: Decoder): TopicMetadata => {
    const code = d.readInt16()
    const name = text(d) ?? ''
    const id = isCompact ? d.readBytes(UUID_BYTES)?.toString('base64url') : undefined
    d.readInt8()
    const partitions = array(d, partitionOf).toSorted((a, b) => a.partition - b.partition)
    const operations = d.readInt32()
    tags(d)
    return {
      code,
      name,
      id: id === NO_ID ? undefined : id,
      partitions,
      operations: operations === OPERATIONS_NOT_ASKED ? undefined : operations,
    }
  }

  if (isCompact) decoder.readTaggedFields()
  decoder.readInt32()
  const brokers = array(decoder, brokerOf)
  const clusterId = text(decoder) ?? undefined
  const controller = decoder.readInt32()
  return { clusterId, brokers, controller, topics: array(decoder, topicOf) }
}
