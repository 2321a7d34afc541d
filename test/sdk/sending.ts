// What a program that uses a Tencent Cloud SDK is given and gives back, whatever its language; and the ways in which the SDKs
// can sign and send.

export interface SdkAccess {
  // Host and port, as the SDKs want it: '127.0.0.1:8787'.
  readonly endpoint: string
  readonly secretId: string
  readonly secretKey: string
  // Of a temporary credential.
  readonly token?: string
}

// What a user sets in the profile of an SDK.
export interface SdkMode {
  readonly signMethod: 'TC3-HMAC-SHA256' | 'HmacSHA256' | 'HmacSHA1'
  readonly reqMethod: 'POST' | 'GET'
  readonly unsignedPayload?: boolean
  // Host and port to connect to, while `endpoint` is what is signed.
  readonly apigwEndpoint?: string
  readonly language?: 'zh-CN' | 'en-US'
  // Sends `Authorization: SKIP`.
  readonly skipSign?: boolean
}

// What every SDK does unless it is told otherwise.
export const DEFAULT_MODE: SdkMode = { signMethod: 'TC3-HMAC-SHA256', reqMethod: 'POST' }

export interface ActionCall {
  readonly action: string
  readonly params: Readonly<Record<string, unknown>>
}

// `response` is Tencent's Response object, as the SDK gives it back.
export type ActionAnswer =
  | { readonly response: Readonly<Record<string, unknown>> }
  | { readonly error: SdkError }

/**
 * Calls the actions one after the other, each by the SDK's method for it where there is one, else by its call by name. One answer
 * for each call, in their order.
 *
 * @throws when the SDK has no setting for something in the mode: nothing is sent in another mode than asked for
 */
export type CallActions = (
  access: SdkAccess,
  calls: readonly ActionCall[],
  mode?: SdkMode,
) => Promise<ActionAnswer[]>

export interface SendOptions extends SdkAccess {
  readonly datahub: string
  readonly messages: readonly SdkMessage[]
}

export interface SdkMessage {
  readonly Key?: string
  readonly Body: string
}

export type SendResult = { readonly messageIds: readonly string[] } | { readonly error: SdkError }

export interface SdkError {
  readonly code?: string
  readonly message: string
  readonly requestId?: string
}

// SendMessage by an SDK's way of calling actions.
export async function sendBy(
  call: CallActions,
  { datahub, messages, ...access }: SendOptions,
  mode?: SdkMode,
): Promise<SendResult> {
  const params = { DataHubId: datahub, Message: messages }
  const [answer] = await call(access, [{ action: 'SendMessage', params }], mode)
  if (!answer) throw new Error('the SDK program answered nothing')
  if ('error' in answer) return answer
  return { messageIds: (answer.response['MessageId'] ?? []) as string[] }
}
