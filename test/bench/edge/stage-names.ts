/** The stages of SendMessage at which the bench can stop, in order; known to the worker, and to who sends. */
export const STAGES = ['body', 'signature', 'parse', 'accept'] as const
export type Stage = (typeof STAGES)[number]
