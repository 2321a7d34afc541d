/**
 * The compressions of record batches that the relay writes: those that come with Node. Snappy and LZ4 are read by message query only
 * (unpack.ts), not with the ledger; so the relay's own topics must not have them forced on by the broker.
 */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const
export type Compression = (typeof COMPRESSIONS)[number]

/** The lowest three bits of a batch's attributes: https://kafka.apache.org/documentation/#recordbatch */
const CODEC_OF = { none: 0, gzip: 1, zstd: 4 } as const
export type CompressionCode = (typeof CODEC_OF)[Compression]

/** Values of a topic's `compression.type` under which every stored batch can be read again. */
export const READABLE_COMPRESSION_TYPES: readonly string[] = [
  'producer',
  'uncompressed',
  'gzip',
  'zstd',
]

/** What a Produce request names the compression by. */
export function compressionCode(compression: Compression): CompressionCode {
  return CODEC_OF[compression]
}

/** kafkajs's form of a codec: the encoder holds all records of one batch. */
export interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(compressed: Buffer): Promise<Buffer>
}

const compress = promisify<Buffer, Buffer>(zstdCompress)
const decompress = promisify<Buffer, Buffer>(zstdDecompress)

/** kafkajs knows zstd by number only; gzip it brings along. */
export const ZSTD_CODE = CODEC_OF.zstd
export const zstdCodec: Codec = {
  compress: ({ buffer }) => compress(buffer),
  decompress,
}
