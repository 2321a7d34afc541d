// The bytes of a value as Kafka stores them, for what stands in for Kafka.
import type { LaneMessage } from '../../relay/kafka/record-batch.ts'

export function storedValue({ value }: Pick<LaneMessage, 'value'>): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value
}
