import { createAccept } from '../../../worker/accept.ts'

export const broken = createAccept
