/**
 * What a client may have signed of the request that arrived, whichever the signature method. SDKs disagree about host and path, and a
 * gateway may have changed the host, so a signature is checked against a short list. Pure; it decides nothing.
 */

export interface RequestHead {
  method: string
  /** As in the request line, not decoded. */
  rawPath: string
  /** The text after the first `?`, not decoded, or ''. */
  rawQuery: string
  /** With `host`. */
  headers: Headers
}

export interface SignedRequest extends RequestHead {
  body: Uint8Array
}

/**
 * Path and query as texts of the URL, not parsed again: decoding and encoding them would change what was signed. Where there is no
 * Host header, the URL's authority is the host (HTTP/2 and HTTP/3 send nothing else).
 */
export function requestHeadOf(request: Request): RequestHead {
  const [, authority = '', rawPath = '', rawQuery = ''] =
    /^[a-z]+:\/\/([^/?#]*)([^?#]*)\??([^#]*)/i.exec(request.url) ?? []
  const headers = new Headers(request.headers)
  if (!headers.has('host')) headers.set('host', authority)
  return { method: request.method, rawPath, rawQuery, headers }
}

/**
 * Host as sent, without its port (Node signs the bare name), with the default ports (dropped by some gateways), and the names that
 * clients sign while they send to a gateway (the SDKs' "apigw endpoint"). The most likely first.
 */
export function hostCandidates(
  headers: Headers,
  region: string,
  hostAliases: readonly string[],
): Set<string> {
  const sent = headers.get('host')?.trim() ?? ''
  const bare = sent.replace(/:\d+$/, '')
  const own = sent === bare ? [sent, `${sent}:443`, `${sent}:80`] : [sent, bare]
  const known = /^[a-z0-9-]{1,32}$/.exec(region.toLowerCase())
  const regional = known ? [`ckafka.${known[0]}.tencentcloudapi.com`] : []
  const nominal = ['ckafka.tencentcloudapi.com', ...regional, 'ckafka.intl.tencentcloudapi.com']
  return withLowerCase([...own, ...nominal, ...hostAliases])
}

/** Node signs the real path, Go always `/`. */
export function uriCandidates({ rawPath }: Pick<SignedRequest, 'rawPath'>): Set<string> {
  return new Set([rawPath, '/'])
}

/** Each as it is first, then each in lower case. */
export function withLowerCase(values: readonly string[]): Set<string> {
  return new Set([...values, ...values.map((value) => value.toLowerCase())])
}
