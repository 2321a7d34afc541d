/**
 * A cursor as clients see it: the base64url of JSON, opaque to them. It is not signed, because it permits nothing: what is seen is decided
 * anew each time. What is in it, and whether it fits, is for each list to say.
 */

/** `content` is ASCII throughout: ids, topic names and numbers. */
export function formatCursorText(content: readonly unknown[]): string {
  return btoa(JSON.stringify(content)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** undefined: it is no cursor of any list. Total: never throws. */
export function parseCursorText(text: string): unknown {
  try {
    return JSON.parse(atob(text.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return undefined
  }
}
