// Sends messages with the official Tencent Cloud SDK for Node.js, in this process. Endpoint, protocol
// and keys are all it sets.
import { ckafka } from 'tencentcloud-sdk-nodejs-ckafka'
import type {
  ActionAnswer,
  ActionCall,
  SdkAccess,
  SdkError,
  SendOptions,
  SendResult,
} from './sending.ts'

export async function sendWithNode(options: SendOptions): Promise<SendResult> {
  const { datahub, messages } = options
  try {
    const { MessageId } = await clientOf(options).SendMessage({
      DataHubId: datahub,
      Message: [...messages],
    })
    return { messageIds: MessageId ?? [] }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { error: toSdkError(error) }
  }
}

export async function callWithNode(
  access: SdkAccess,
  calls: readonly ActionCall[],
): Promise<ActionAnswer[]> {
  const client = clientOf(access)
  const answers: ActionAnswer[] = []
  for (const { action, params } of calls) {
    try {
      const method = client[action as 'FetchMessageByOffset'].bind(client)
      const response: unknown = await method(params as unknown as Parameters<typeof method>[0])
      answers.push({ response: response as Record<string, unknown> })
    } catch (error) {
      if (!(error instanceof Error)) throw error
      answers.push({ error: toSdkError(error) })
    }
  }
  return answers
}

function clientOf({ endpoint, secretId, secretKey }: SdkAccess) {
  return new ckafka.v20190819.Client({
    credential: { secretId, secretKey },
    region: 'ap-guangzhou',
    profile: { httpProfile: { protocol: 'http://', endpoint } },
  })
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
