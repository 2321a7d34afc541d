/**
 * Request bodies: read with a byte limit while they stream, decoded strictly. A limit by Content-Length alone would believe the client;
 * a limit after reading would let it fill the isolate's 128 MB.
 */

/** The body, or undefined when it has more than `limit` bytes; the rest is then not read. */
export async function readBody(
  request: Request,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const announced = request.headers.get('Content-Length')
  if (Number(announced ?? 0) > limit) return undefined
  if (!request.body) return new Uint8Array()
  // No more than it announced comes (RFC 9112 section 6.3), and reading it at once takes half of the time.
  if (announced !== null) {
    const body = new Uint8Array(await request.arrayBuffer())
    return body.length > limit ? undefined : body
  }
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop early cancels the stream.
  for await (const chunk of request.body) {
    length += chunk.byteLength
    if (length > limit) return undefined
    chunks.push(chunk)
  }
  const body = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    body.set(chunk, offset)
    offset += chunk.byteLength
  }
  return body
}

/** Longer than the name of any content coding; what is longer is cut. */
const MAX_ENCODING_CHARS = 64

/** How the body is encoded (RFC 9110 section 8.4), when it is; nothing here decodes one, so that a few bytes can't become gigabytes. */
export function contentEncodingOf(headers: Headers): string | undefined {
  const encoding = headers.get('Content-Encoding')?.trim().toLowerCase() ?? ''
  return ['', 'identity'].includes(encoding) ? undefined : encoding.slice(0, MAX_ENCODING_CHARS)
}

/** The text, or undefined when the bytes are not UTF-8. A byte order mark is kept: JSON has none (RFC 8259 section 8.1). */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
