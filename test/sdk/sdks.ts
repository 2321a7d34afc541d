// The official SDKs that the tests call Edgehub with, and the ways in which each can sign and send. All of them are required: a
// runtime that is missing fails its tests, and the error says what to install.
import { buildGoClient, callWithGo } from './go.ts'
import { buildJavaClient, callWithJava } from './java.ts'
import { callWithNode } from './node.ts'
import { callWithPython, fetchPythonSdk } from './python.ts'
import { DEFAULT_MODE, type CallActions, type SdkMode } from './sending.ts'

export interface Sdk {
  readonly title: string
  readonly call: CallActions
  // All that the SDK's own settings can make of signature and method, the default first.
  readonly modes: readonly SdkMode[]
  // A setting that makes the SDK connect elsewhere than it signs for.
  readonly hasApigwEndpoint: boolean
  readonly canSkipSign: boolean
  // In a query or a form an empty text is left out, and a message that has nothing else with it.
  readonly dropsEmptyTexts: boolean
  // Fetches and builds what is not in the cache yet.
  readonly prepare: () => Promise<unknown>
}

const SIGNED: readonly SdkMode[] = (['TC3-HMAC-SHA256', 'HmacSHA256', 'HmacSHA1'] as const).flatMap(
  (signMethod) => [
    { signMethod, reqMethod: 'POST' as const },
    { signMethod, reqMethod: 'GET' as const },
  ],
)
const UNSIGNED_PAYLOAD: readonly SdkMode[] = [
  { ...DEFAULT_MODE, unsignedPayload: true },
  { ...DEFAULT_MODE, reqMethod: 'GET', unsignedPayload: true },
]
const ALL_MODES = [...SIGNED, ...UNSIGNED_PAYLOAD]

export type SdkName = 'node' | 'java' | 'python' | 'go'

export const SDKS: Readonly<Record<SdkName, Sdk>> = {
  node: {
    title: 'the Node SDK',
    call: callWithNode,
    modes: SIGNED,
    hasApigwEndpoint: false,
    canSkipSign: true,
    dropsEmptyTexts: false,
    prepare: async () => undefined,
  },
  java: {
    title: 'the Java SDK 3.1.430',
    call: callWithJava,
    modes: ALL_MODES,
    hasApigwEndpoint: false,
    canSkipSign: false,
    dropsEmptyTexts: false,
    prepare: buildJavaClient,
  },
  python: {
    title: 'the Python SDK',
    call: callWithPython,
    modes: ALL_MODES,
    hasApigwEndpoint: true,
    canSkipSign: true,
    dropsEmptyTexts: false,
    prepare: fetchPythonSdk,
  },
  go: {
    title: 'the Go SDK',
    call: callWithGo,
    modes: ALL_MODES,
    hasApigwEndpoint: true,
    canSkipSign: true,
    dropsEmptyTexts: true,
    prepare: buildGoClient,
  },
}

export const SDK_NAMES = Object.keys(SDKS) as SdkName[]

export function titleOf(mode: SdkMode): string {
  const { signMethod, reqMethod, unsignedPayload, apigwEndpoint, language } = mode
  const notes = [
    ...(unsignedPayload === true ? ['unsigned payload'] : []),
    ...(apigwEndpoint === undefined ? [] : ['apigw endpoint']),
    ...(language === undefined ? [] : [language]),
  ]
  return `${signMethod} over ${reqMethod}${notes.map((note) => `, ${note}`).join('')}`
}
