// What a program that uses a Tencent Cloud SDK is given and gives back, whatever its language.

export interface SdkAccess {
  // Host and port, as the SDKs want it: '127.0.0.1:8787'.
  readonly endpoint: string
  readonly secretId: string
  readonly secretKey: string
}

export interface ActionCall {
  readonly action: string
  readonly params: Readonly<Record<string, unknown>>
}

// `response` is Tencent's Response object, as the SDK gives it back.
export type ActionAnswer =
  | { readonly response: Readonly<Record<string, unknown>> }
  | { readonly error: SdkError }

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
