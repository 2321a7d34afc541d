// Sends messages with the official Tencent Cloud SDK for Node.js, in this process. Endpoint, protocol
// and keys are all it sets.
import { ckafka } from 'tencentcloud-sdk-nodejs-ckafka'
import type { SdkError, SendOptions, SendResult } from './sending.ts'

export async function sendWithNode(options: SendOptions): Promise<SendResult> {
  const { endpoint, secretId, secretKey, datahub, messages } = options
  const client = new ckafka.v20190819.Client({
    credential: { secretId, secretKey },
    region: 'ap-guangzhou',
    profile: { httpProfile: { protocol: 'http://', endpoint } },
  })
  try {
    const { MessageId } = await client.SendMessage({ DataHubId: datahub, Message: [...messages] })
    return { messageIds: MessageId ?? [] }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { error: toSdkError(error) }
  }
}

// The SDK's own exception has these two beside the message; a failed connection has a code of Node's.
function toSdkError(error: Error & { code?: unknown; requestId?: unknown }): SdkError {
  const { code, message, requestId } = error
  return {
    ...(typeof code === 'string' ? { code } : {}),
    message,
    ...(typeof requestId === 'string' ? { requestId } : {}),
  }
}
