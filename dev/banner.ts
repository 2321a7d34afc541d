/** What a person sees when the local stack is ready: where everything is, and two examples to paste. Pure. */
import type { DevJson } from './dev-json.ts'

export function banner(dev: DevJson, state: string): string {
  const { host } = new URL(dev.api)
  return `
Edgehub is ready.

  API          ${dev.api}   its description: ${dev.api}/docs/
  Kafka        ${dev.kafka}   topic ${dev.topic}
  Queue API    ${dev.queueApi}/client/v4   (local stand-in for Cloudflare's)
  Relay        ${dev.relays.map(({ ops }) => `${ops}/metrics`).join('   ')}
  Datahub      ${dev.datahubId}
  SecretId     ${dev.secretId}
  SecretKey    ${dev.secretKey}
  Admin token  ${dev.adminToken}
  Logs         ${state}/logs/   all of this as JSON: ${state}/dev.json

Send two reports and wait for their MessageIds:

curl -u ${dev.secretId}:${dev.secretKey} -H 'Content-Type: application/json' -H 'Prefer: wait=5' \\
  -d '{"reports": [{"key": "k1", "value": "hello"}, {"value": "world"}]}' \\
  ${dev.api}/v1/datahubs/${dev.datahubId}/reports

The same with the official Node SDK (send.mjs, in this folder: node send.mjs):

import { ckafka } from 'tencentcloud-sdk-nodejs-ckafka'
const client = new ckafka.v20190819.Client({
  credential: { secretId: '${dev.secretId}', secretKey: '${dev.secretKey}' },
  region: '${dev.region}',
  profile: { httpProfile: { protocol: 'http://', endpoint: '${host}' } },
})
const { MessageId } = await client.SendMessage({
  DataHubId: '${dev.datahubId}',
  Message: [{ Key: 'k1', Body: 'hello' }, { Body: 'world' }],
})
console.log(MessageId)

Ctrl-C ends all of it; the next start finds its data again.
`
}
