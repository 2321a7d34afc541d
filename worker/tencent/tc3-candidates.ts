/**
 * What a client may have signed for the request that arrived. SDKs disagree about host, path and letter
 * case, and a gateway may have changed the host, so a signature is checked against a short list. Pure; it decides nothing.
 */
import type { Tc3Authorization } from './tc3-authorization.ts'

export interface SignedRequest {
  method: string
  /** As in the request line, not decoded. */
  rawPath: string
  /** The text after the first `?`, not decoded, or ''. */
  rawQuery: string
  /** With `host`. */
  headers: Headers
  body: Uint8Array
}

export interface Candidate {
  host: string
  uri: string
  contentType: string
  /** Whether the values of the other signed headers are lower-cased. */
  lowerCase: boolean
}

/** The most likely first: every released SDK is found at the first or second try. */
export function candidatesOf(
  request: SignedRequest,
  authorization: Tc3Authorization,
  hostAliases: readonly string[],
): Candidate[] {
  const hosts = hostCandidates(request.headers, hostAliases)
  const contentTypes = contentTypeCandidates(request.headers.get('content-type')?.trim() ?? '')
  // Node signs the real path, Go always `/`.
  const uris = new Set([request.rawPath, '/'])
  const others = authorization.signedHeaders.filter((n) => n !== 'host' && n !== 'content-type')
  const hasUpperCase = others.some((name) => /[A-Z]/.test(request.headers.get(name) ?? ''))
  const lowerCases = hasUpperCase ? [false, true] : [false]
  const candidates: Candidate[] = []
  for (const uri of uris) {
    for (const contentType of contentTypes) {
      for (const lowerCase of lowerCases) {
        for (const host of hosts) candidates.push({ host, uri, contentType, lowerCase })
      }
    }
  }
  return candidates
}

/**
 * Host as sent, without its port (Node signs the bare name), with the default ports (dropped by some gateways), and the names that
 * clients sign while they send to a gateway (the SDKs' "apigw endpoint").
 */
function hostCandidates(headers: Headers, hostAliases: readonly string[]): Set<string> {
  const sent = headers.get('host')?.trim() ?? ''
  const bare = sent.replace(/:\d+$/, '')
  const own = sent === bare ? [sent, `${sent}:443`, `${sent}:80`] : [sent, bare]
  const region = headers.get('x-tc-region')?.trim().toLowerCase() ?? ''
  const regional = /^[a-z0-9-]{1,32}$/.test(region) ? [`ckafka.${region}.tencentcloudapi.com`] : []
  const nominal = ['ckafka.tencentcloudapi.com', ...regional, 'ckafka.intl.tencentcloudapi.com']
  return withLowerCase([...own, ...nominal, ...hostAliases])
}

/** .NET signs `; charset=utf-8` without sending it. */
function contentTypeCandidates(sent: string): Set<string> {
  return withLowerCase(/charset/i.test(sent) ? [sent] : [sent, `${sent}; charset=utf-8`])
}

function withLowerCase(values: readonly string[]): Set<string> {
  return new Set([...values, ...values.map((value) => value.toLowerCase())])
}
