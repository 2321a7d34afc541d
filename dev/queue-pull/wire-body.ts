/**
 * Message bodies as Cloudflare's pull API shows them: `text` as it is, `json` and `bytes` in base64. Pure. `v8` bodies are refused: they
 * can't be read outside of Workers.
 */

export const CONTENT_TYPES = ['text', 'json', 'bytes'] as const
export type ContentType = (typeof CONTENT_TYPES)[number]

export interface WireBody {
  contentType: ContentType
  /** In the form that a pull shows. */
  body: string
  /** Of the raw body. */
  bytes: number
}

const encoder = new TextEncoder()

export function wireBody(raw: string | Uint8Array, contentType: ContentType): WireBody {
  if (contentType === 'text') {
    const text = typeof raw === 'string' ? raw : new TextDecoder().decode(raw)
    return { contentType, body: text, bytes: encoder.encode(text).length }
  }
  const bytes = typeof raw === 'string' ? encoder.encode(raw) : raw
  return { contentType, body: toBase64(bytes), bytes: bytes.length }
}

/** The `id` member of a body that is a JSON object with a text `id`: an envelope's id. */
export function idInBody({ body, contentType }: Pick<WireBody, 'body' | 'contentType'>) {
  try {
    const text = contentType === 'text' ? body : new TextDecoder().decode(fromBase64(body))
    const json: unknown = JSON.parse(text)
    if (typeof json !== 'object' || json === null || !('id' in json)) return undefined
    return typeof json.id === 'string' ? json.id : undefined
  } catch {
    return undefined
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  // fromCharCode takes its bytes as arguments, and the stack bounds how many.
  for (let at = 0; at < bytes.length; at += 8192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  }
  return btoa(binary)
}

/** @throws DOMException for text that is not base64 */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}
