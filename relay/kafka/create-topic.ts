/**
 * CreateTopics for one topic, version 4 (Kafka 2.4): https://kafka.apache.org/protocol#The_Messages_CreateTopics. The last version that
 * kafkajs knows can't leave the number of partitions to the brokers. The topic's configuration is left to them always. What the answer
 * means is the caller's to judge.
 */
import { Code } from './codes.ts'
import { createEncoder, send, type Decoder, type Encoder, type LoneBroker } from './kafkajs.ts'

export interface NewTopic {
  name: string
  /** Undefined: the brokers' `num.partitions`. */
  partitions: number | undefined
  replicationFactor: number
}

export interface NewTopicAnswer {
  code: number
  /** Kafka's words for an error, where it has some. */
  message: string | undefined
}

const API_KEY = 19
const VERSION = 4
const BROKERS_DEFAULT = -1

/**
 * @param withinMs after that the controller answers REQUEST_TIMED_OUT, and may make the topic all the same
 * @throws when the broker can't be asked
 */
export async function createTopic(
  broker: LoneBroker,
  topic: NewTopic,
  withinMs: number,
): Promise<NewTopicAnswer> {
  // Such a broker would only close the connection.
  if ((broker.versions?.[API_KEY]?.maxVersion ?? 0) < VERSION) {
    return { code: Code.UNSUPPORTED_VERSION, message: 'the broker is older than Kafka 2.4' }
  }
  return send(broker, {
    apiKey: API_KEY,
    apiName: 'CreateTopics',
    apiVersion: VERSION,
    encode: () => encode(topic, withinMs),
    decode: (decoder) => decode(decoder, topic.name),
  })
}

function encode({ name, partitions, replicationFactor }: NewTopic, withinMs: number): Encoder {
  const topic = createEncoder()
    .writeString(name)
    .writeInt32(partitions ?? BROKERS_DEFAULT)
    .writeInt16(replicationFactor)
    // Neither replicas of its partitions nor configurations.
    .writeInt32(0)
    .writeInt32(0)
  // Not only looked at whether it could be made.
  return createEncoder().writeArray([topic], 'object').writeInt32(withinMs).writeBoolean(false)
}

function decode(decoder: Decoder, name: string): NewTopicAnswer {
  decoder.readInt32()
  const [answer] = decoder
    .readArray((d) => ({ name: d.readString(), code: d.readInt16(), message: d.readString() }))
    .filter((topic) => topic.name === name)
  if (!answer) throw new Error(`the answer does not name the topic ${name}`)
  return { code: answer.code, message: answer.message ?? undefined }
}
