/** What wrangler.toml says of the product, read by wrangler itself. */
import { fileURLToPath } from 'node:url'
import { unstable_readConfig } from 'wrangler'

export interface Product {
  compatibilityDate: string
  /** Whether functions keep their names in the bundle. */
  keepNames: boolean
  vars: Readonly<Record<string, unknown>>
}

export function readProduct(): Product {
  const config = fileURLToPath(new URL('../../../wrangler.toml', import.meta.url))
  const { compatibility_date, keep_names, vars } = unstable_readConfig({ config })
  // Wrangler's own default.
  return { compatibilityDate: compatibility_date ?? '', keepNames: keep_names ?? true, vars }
}
