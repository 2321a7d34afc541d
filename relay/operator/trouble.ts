/** What keeps a command from its work and is no fault of the program: told in one sentence, without a stack. */
export class Trouble extends Error {
  override readonly name = 'Trouble'
}
