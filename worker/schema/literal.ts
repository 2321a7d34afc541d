/**
 * Which JSON literals a field type takes, by their text: what stands in a report, and what a default is written as. Nothing is converted:
 * "1" and 1.0 are no integers, and "true" is no BOOLEAN.
 */
import type { FieldType, SchemaField } from './form.ts'

type IntegerType = Extract<FieldType, `INT${string}`>

const INTEGER_BITS: Readonly<Record<IntegerType, bigint>> = {
  INT8: 8n,
  INT16: 16n,
  INT32: 32n,
  INT64: 64n,
}

/** As many as an INT64 has at most, with its sign. Longer ones are not made numbers: that takes a time that grows with the square. */
const MAX_INTEGER_CHARS = 20

/** What the literal should have been (`must be …`), or undefined when it fits. `source` is valid JSON without space around it. */
export function literalProblem(type: FieldType, source: string): string | undefined {
  switch (type) {
    case 'BOOLEAN':
      return source === 'true' || source === 'false' ? undefined : 'must be true or false'
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'INT64':
      return integerProblem(type, source)
    case 'FLOAT32':
      return floatProblem(type, source, Math.fround)
    case 'FLOAT64':
      return floatProblem(type, source, (value) => value)
    case 'STRING':
      return source.startsWith('"') ? undefined : 'must be a string'
  }
}

function integerProblem(type: IntegerType, source: string): string | undefined {
  if (!isNumber(source)) return `must be ${type}, a JSON number`
  if (!/^-?\d+$/.test(source)) {
    return `must be ${type}, an integer written without fraction and exponent`
  }
  const limit = 1n << (INTEGER_BITS[type] - 1n)
  if (source.length <= MAX_INTEGER_CHARS) {
    const value = BigInt(source)
    if (-limit <= value && value < limit) return undefined
  }
  return `must be ${type}, an integer from ${-limit} to ${limit - 1n}`
}

function floatProblem(
  type: 'FLOAT32' | 'FLOAT64',
  source: string,
  round: (value: number) => number,
): string | undefined {
  if (!isNumber(source)) return `must be ${type}, a JSON number`
  return Number.isFinite(round(Number(source))) ? undefined : `is too large for ${type}`
}

function isNumber(source: string): boolean {
  return /^[-\d]/.test(source)
}

/** The literal that a default is written as. An INT64 that was given as text is written as the number it names. */
export function defaultLiteral(
  type: FieldType,
  value: NonNullable<SchemaField['default']>,
): string {
  if (type === 'INT64' && typeof value === 'string' && /^-?(0|[1-9]\d*)$/.test(value)) return value
  return JSON.stringify(value)
}
