/**
 * Lints `worker/static/openapi.json` by Redocly's rules: OpenAPI 3.1's own form, references that lead somewhere, parameters that are in their
 * paths, ids that differ, examples that fit their schemas. Any problem fails it.
 */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createConfig, lint } from '@redocly/openapi-core'

const path = fileURLToPath(new URL('../../worker/static/openapi.json', import.meta.url))

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // `/`, liveness and what relays delete have no 4XX by design; what each route refuses is compared with the worker by the tests.
    'operation-4xx-response': 'off',
    // The relay link answers 101.
    'operation-2xx-response': 'off',
    'no-invalid-media-type-examples': 'error',
    'no-unused-components': 'error',
    'operation-description': 'off',
    'tag-description': 'error',
  },
})
const problems = await lint({ ref: path, config })
for (const { message, location, ruleId } of problems) {
  console.error(`${location[0]?.pointer ?? ''}: ${message} (${ruleId})`)
}
if (problems.length > 0) process.exitCode = 1
