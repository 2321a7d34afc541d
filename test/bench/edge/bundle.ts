/** The bench's worker as one module, made as `wrangler deploy` makes the product's: esbuild, the same conditions, not minified. */
import { fileURLToPath } from 'node:url'
import { build, version } from 'esbuild'
import { readProduct } from './product.ts'

export interface Bundle {
  path: string
  bytes: number
  esbuild: string
}

export async function bundleWorker(folder: string): Promise<Bundle> {
  const path = `${folder}/worker.js`
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    outfile: path,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    keepNames: readProduct().keepNames,
    define: { 'process.env.NODE_ENV': '"production"' },
    metafile: true,
    logLevel: 'silent',
  })
  const [output] = Object.values(metafile.outputs)
  return { path, bytes: output?.bytes ?? 0, esbuild: version }
}
