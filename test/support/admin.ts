// An admin client for as long as something is done with it.
import type { Admin } from 'kafkajs'
import { createAdmin, type KafkaSettings } from '../../relay/kafka/kafkajs.ts'

export async function withAdmin<T>(
  kafka: KafkaSettings,
  act: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = createAdmin(kafka)
  await admin.connect()
  try {
    return await act(admin)
  } finally {
    await admin.disconnect()
  }
}
