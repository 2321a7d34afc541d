// Kafka's cluster ids: 16 random bytes in base64url. Pure but for the randomness.
import { randomBytes } from 'node:crypto'

export function createClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url')
    // `format -t -x…` takes the id for an option; Kafka's own generator avoids these too.
    if (!id.startsWith('-')) return id
  }
}
