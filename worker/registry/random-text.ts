/** Random text over an alphabet, every character equally likely. Randomness comes from outside. */

export type RandomBytes = (length: number) => Uint8Array

export const LOWERCASE_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
export const MIXED_ALPHABET = `${LOWERCASE_ALPHABET}ABCDEFGHIJKLMNOPQRSTUVWXYZ`

export function randomText(alphabet: string, length: number, randomBytes: RandomBytes): string {
  // Bytes above the largest multiple of the alphabet's size would favour its first characters.
  const usable = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < usable && text.length < length) text += alphabet[byte % alphabet.length]
    }
  }
  return text
}

/** Cryptographically strong. */
export function platformRandomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}
