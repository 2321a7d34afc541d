/** Thrown when a part that a request needs can't be reached; every boundary answers it as `unavailable`, never as "not found". */
export class UnavailableError extends Error {
  override name = 'UnavailableError'
  readonly retryAfterSeconds: number

  constructor(message: string, options?: ErrorOptions & { retryAfterSeconds?: number }) {
    super(message, options)
    this.retryAfterSeconds = options?.retryAfterSeconds ?? 1
  }
}
