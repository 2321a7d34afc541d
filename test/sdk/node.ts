// Calls actions with the official Tencent Cloud SDK for Node.js, in this process. Endpoint, protocol, keys and what the mode says
// are all it sets. This SDK has no setting for an unsigned payload and none for a gateway's address, and signs as asked only with
// TC3 when it is to skip the signature.
import { ckafka } from 'tencentcloud-sdk-nodejs-ckafka'
import {
  DEFAULT_MODE,
  sendBy,
  type ActionAnswer,
  type ActionCall,
  type SdkAccess,
  type SdkError,
  type SdkMode,
  type SendOptions,
  type SendResult,
} from './sending.ts'

export async function sendWithNode(options: SendOptions): Promise<SendResult> {
  return sendBy(callWithNode, options)
}

export async function callWithNode(
  access: SdkAccess,
  calls: readonly ActionCall[],
  mode: SdkMode = DEFAULT_MODE,
): Promise<ActionAnswer[]> {
  const client = clientOf(access, mode)
  const answers: ActionAnswer[] = []
  for (const { action, params } of calls) {
    try {
      answers.push({ response: await run(client, action, params, mode) })
    } catch (error) {
      if (!(error instanceof Error)) throw error
      answers.push({ error: toSdkError(error) })
    }
  }
  return answers
}

type Client = InstanceType<typeof ckafka.v20190819.Client>

async function run(
  client: Client,
  action: string,
  params: ActionCall['params'],
  { skipSign = false }: SdkMode,
): Promise<Record<string, unknown>> {
  if (skipSign) return client.request(action, params, { skipSign })
  const method = client[action as 'SendMessage'] as Client['SendMessage'] | undefined
  if (method === undefined) return client.request(action, params)
  const response: unknown = await method.call(
    client,
    params as unknown as Parameters<typeof method>[0],
  )
  return response as Record<string, unknown>
}

function clientOf({ endpoint, secretId, secretKey, token }: SdkAccess, mode: SdkMode): Client {
  const { signMethod, reqMethod, language, unsignedPayload, apigwEndpoint, skipSign } = mode
  if (unsignedPayload === true || apigwEndpoint !== undefined) {
    throw new Error('the Node SDK has no unsigned payload and no apigwEndpoint')
  }
  if (skipSign === true && signMethod !== 'TC3-HMAC-SHA256') {
    throw new Error('the Node SDK skips the signature only where it would sign with TC3')
  }
  return new ckafka.v20190819.Client({
    credential: { secretId, secretKey, ...(token === undefined ? {} : { token }) },
    region: 'ap-guangzhou',
    profile: {
      signMethod,
      httpProfile: { protocol: 'http://', endpoint, reqMethod },
      ...(language === undefined ? {} : { language }),
    },
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
