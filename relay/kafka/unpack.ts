/**
 * Unpacks the records of a batch, whatever a producer or a topic's `compression.type` packed them with. Only what the relay's questions
 * read comes here: Node has gzip and zstd; Snappy and LZ4 are small enough to be read by own code, and are never written.
 * Refuses what unpacks to more than `MAX_UNPACKED_BYTES`, and what is damaged. Checksums of LZ4 are not checked: the batch has its own.
 */
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'

/** Many times what a broker takes as one batch by default; what unpacks to more is an accident or an attack. */
const MAX_UNPACKED_BYTES = 134_217_728

/** By the lowest three bits of a batch's attributes: https://kafka.apache.org/documentation/#recordbatch */
const UNPACK: Readonly<Record<number, (packed: Buffer) => Promise<Buffer>>> = {
  0: async (bytes) => bytes,
  1: nodes(gunzip),
  2: async (packed) => unpackSnappy(packed),
  3: async (packed) => unpackLz4(packed),
  4: nodes(zstdDecompress),
}

/** @throws when it is damaged, too large, or packed with something new */
export async function unpack(compression: number, packed: Buffer): Promise<Buffer> {
  const how = UNPACK[compression]
  if (!how) throw new Error(`compression ${compression} is not known`)
  return how(packed)
}

type NodeUnpack = (
  packed: Buffer,
  options: { maxOutputLength: number },
  done: (error: Error | null, bytes: Buffer) => void,
) => void

function nodes(unpackOne: NodeUnpack): (packed: Buffer) => Promise<Buffer> {
  const promised = promisify<Buffer, { maxOutputLength: number }, Buffer>(unpackOne)
  return (packed) => promised(packed, { maxOutputLength: MAX_UNPACKED_BYTES })
}

/** What was unpacked so far, which later parts repeat. */
class Output {
  #bytes = Buffer.allocUnsafe(65_536)
  length = 0

  append(from: Buffer, start: number, end: number): void {
    if (start > end || end > from.length) throw new Error('ends in the middle')
    this.#reserve(end - start)
    from.copy(this.#bytes, this.length, start, end)
    this.length += end - start
  }

  /** Repeats what stands `distance` before the end; the repeated may overlap with its repetition. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.length) throw new Error('repeats what is not there')
    this.#reserve(count)
    for (let done = 0; done < count;) {
      const from = this.length - distance
      const n = Math.min(distance, count - done)
      this.#bytes.copyWithin(this.length, from, from + n)
      this.length += n
      done += n
    }
  }

  toBuffer(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  #reserve(more: number): void {
    const needed = this.length + more
    if (needed > MAX_UNPACKED_BYTES) throw new Error('unpacks to too much')
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
    this.toBuffer().copy(larger)
    this.#bytes = larger
  }
}

/** Java's producer puts it into blocks of its own making; others don't: https://github.com/xerial/snappy-java */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEAD_BYTES = 16

function unpackSnappy(packed: Buffer): Buffer {
  const output = new Output()
  if (!packed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    unpackSnappyBlock(packed, output)
    return output.toBuffer()
  }
  for (let at = XERIAL_HEAD_BYTES; at < packed.length;) {
    const end = at + 4 + packed.readInt32BE(at)
    if (end > packed.length || end < at + 4) throw new Error('ends in the middle')
    unpackSnappyBlock(packed.subarray(at + 4, end), output)
    at = end
  }
  return output.toBuffer()
}

/** https://github.com/google/snappy/blob/main/format_description.txt */
function unpackSnappyBlock(block: Buffer, output: Output): void {
  let at = 0
  // The length of what comes out, seven bits a byte: it comes out anyway.
  while (block.readUInt8(at++) >= 0x80);
  while (at < block.length) {
    const tag = block.readUInt8(at++)
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >> 2) + 1
      const extra = length - 60
      if (extra > 0) {
        length = block.readUIntLE(at, extra) + 1
        at += extra
      }
      output.append(block, at, at + length)
      at += length
    } else if (kind === 1) {
      output.repeat(((tag >> 5) << 8) | block.readUInt8(at), ((tag >> 2) & 7) + 4)
      at += 1
    } else {
      const bytes = kind === 2 ? 2 : 4
      output.repeat(block.readUIntLE(at, bytes), (tag >> 2) + 1)
      at += bytes
    }
  }
}

const LZ4_MAGIC = 0x184d2204
const LZ4_HAS_BLOCK_CHECKSUM = 16
const LZ4_HAS_SIZE = 8
const LZ4_HAS_DICTIONARY = 1
const LZ4_IS_PLAIN = 0x80000000

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md */
function unpackLz4(packed: Buffer): Buffer {
  const output = new Output()
  if (packed.readUInt32LE(0) !== LZ4_MAGIC) throw new Error('is no frame of LZ4')
  const flags = packed.readUInt8(4)
  if (flags & LZ4_HAS_DICTIONARY) throw new Error('needs a dictionary')
  // Flags, sizes, and the header's checksum.
  let at = 7 + (flags & LZ4_HAS_SIZE ? 8 : 0)
  for (;;) {
    const size = packed.readUInt32LE(at)
    at += 4
    if (size === 0) return output.toBuffer()
    const length = size % LZ4_IS_PLAIN
    if (size >= LZ4_IS_PLAIN) output.append(packed, at, at + length)
    else unpackLz4Block(packed.subarray(at, at + length), output)
    at += length + (flags & LZ4_HAS_BLOCK_CHECKSUM ? 4 : 0)
  }
}

/** https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function unpackLz4Block(block: Buffer, output: Output): void {
  let at = 0
  const length = (nibble: number): number => {
    let sum = nibble
    if (nibble < 15) return sum
    for (;;) {
      const more = block.readUInt8(at++)
      sum += more
      if (more < 255) return sum
    }
  }
  while (at < block.length) {
    const token = block.readUInt8(at++)
    const literals = length(token >> 4)
    output.append(block, at, at + literals)
    at += literals
    // The last sequence has no repetition.
    if (at >= block.length) return
    const distance = block.readUInt16LE(at)
    at += 2
    output.repeat(distance, length(token & 15) + 4)
  }
}
