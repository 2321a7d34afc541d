/**
 * Which producers have a transaction open in a partition: DescribeProducers, version 0 (KIP-664, Kafka 2.8 and later), which kafkajs does
 * not have. It needs the right to read the topic.
 */
import { createEncoder, send, type Broker, type Decoder } from './kafkajs.ts'

export interface PartitionProducers {
  topic: string
  partition: number
  code: number
  /** Ids of the producers with an open transaction there. */
  open: string[]
}

const API_KEY = 61
const NO_TRANSACTION = '-1'

/** @throws when the broker can't be asked, or does not know the request */
export async function describeProducers(
  broker: Broker,
  partitions: readonly { topic: string; partition: number }[],
): Promise<PartitionProducers[]> {
  const topics = Map.groupBy(partitions, ({ topic }) => topic)
  return send(broker, {
    apiKey: API_KEY,
    apiName: 'DescribeProducers',
    apiVersion: 0,
    encode: () =>
      // The tags of the request's header, none, stand before its body: kafkajs writes the header without them.
      createEncoder()
        .writeUVarInt(0)
        .writeUVarIntArray(
          [...topics].map(([topic, of]) =>
            createEncoder()
              .writeUVarIntString(topic)
              .writeUVarIntArray(
                of.map(({ partition }) => createEncoder().writeInt32(partition)),
                'object',
              )
              .writeUVarInt(0),
          ),
          'object',
        )
        .writeUVarInt(0),
    decode,
  })
}

function decode(decoder: Decoder): PartitionProducers[] {
  decoder.readTaggedFields()
  decoder.readInt32()
  const topics = decoder.readUVarIntArray((d) => {
    const topic = d.readUVarIntString() ?? ''
    const partitions = d.readUVarIntArray((p) => readPartition(p, topic)) ?? []
    d.readTaggedFields()
    return partitions
  })
  return (topics ?? []).flat()
}

function readPartition(decoder: Decoder, topic: string): PartitionProducers {
  const partition = decoder.readInt32()
  const code = decoder.readInt16()
  decoder.readUVarIntString()
  const producers = decoder.readUVarIntArray((d) => {
    const id = d.readInt64().toString()
    d.readInt32()
    d.readInt32()
    d.readInt64()
    d.readInt32()
    const start = d.readInt64().toString()
    d.readTaggedFields()
    return { id, start }
  })
  decoder.readTaggedFields()
  const open = (producers ?? []).filter(({ start }) => start !== NO_TRANSACTION)
  return { topic, partition, code, open: open.map(({ id }) => id) }
}
