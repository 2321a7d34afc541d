/** Reasons not to start that the user can mend; shown as they are, without a stack trace. */
import { isFree } from './kafka/ports.ts'

export class Refusal extends Error {
  override readonly name = 'Refusal'
}

/** @throws Refusal that names each port in use */
export async function checkPorts(
  ports: readonly { port: number; flag: string; what: string }[],
): Promise<void> {
  const taken: string[] = []
  for (const { port, flag, what } of ports) {
    if (!(await isFree(port))) {
      taken.push(
        `Port ${port} (${what}) is in use. End what uses it, or choose another with ${flag}.`,
      )
    }
  }
  if (taken.length > 0) throw new Refusal(taken.join('\n'))
}
