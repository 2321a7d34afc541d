/** What a client may have signed with TC3: every mixture of host, path, content type and letter case that some client signs. Pure. */
import {
  hostCandidates,
  uriCandidates,
  withLowerCase,
  type SignedRequest,
} from './signed-request.ts'
import type { Tc3Authorization } from './tc3-authorization.ts'

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
  const { headers } = request
  const hosts = hostCandidates(headers, headers.get('x-tc-region')?.trim() ?? '', hostAliases)
  const contentTypes = contentTypeCandidates(headers.get('content-type')?.trim() ?? '')
  const others = authorization.signedHeaders.filter((n) => n !== 'host' && n !== 'content-type')
  const hasUpperCase = others.some((name) => /[A-Z]/.test(headers.get(name) ?? ''))
  const lowerCases = hasUpperCase ? [false, true] : [false]
  const candidates: Candidate[] = []
  for (const uri of uriCandidates(request)) {
    for (const contentType of contentTypes) {
      for (const lowerCase of lowerCases) {
        for (const host of hosts) candidates.push({ host, uri, contentType, lowerCase })
      }
    }
  }
  return candidates
}

/** .NET signs `; charset=utf-8` without sending it. */
function contentTypeCandidates(sent: string): Set<string> {
  return withLowerCase(/charset/i.test(sent) ? [sent] : [sent, `${sent}; charset=utf-8`])
}
