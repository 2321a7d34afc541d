/** Two projects: what runs in the worker runs in workerd, everything else in Node; the contract runs in both. */
import process from 'node:process'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { fuzzOptions } from './test/worker/fuzz/options.ts'

export default defineConfig({
  test: {
    // The worker logs every refusal, and refusals are what most tests are about.
    silent: 'passed-only',
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              // As ADDRESS_LIMIT is, but so small that it can be reached.
              ratelimits: {
                THREE_A_MINUTE: { namespace_id: '1', simple: { limit: 3, period: 60 } },
              },
              bindings: {
                RECEIPT_KEY: 'receipt key of the tests, 32 or more',
                MASTER_KEY: 'master key of the tests, 32 or more',
                ADMIN_TOKEN: 'admin-token-of-the-tests',
                RELAY_TOKEN: 'relay-token-of-the-tests',
                // All tests call from one address; those of the limit turn it on.
                ADDRESS_RATE_LIMIT: 'off',
              },
            },
          }),
        ],
        test: {
          name: 'workerd',
          include: ['test/{contract,worker}/**/*.test.ts'],
          // One runtime for all files: a runtime takes 2 s to start, a file's tests far less. So storage is shared, and tests draw
          // their own ids and names.
          isolate: false,
          fileParallelism: false,
          provide: { fuzz: fuzzOptions(process.env) },
        },
      },
      {
        test: {
          name: 'node',
          environment: 'node',
          globalSetup: ['test/support/global-kafka.ts'],
          include: ['test/{contract,relay,dev,e2e,history,house}/**/*.test.ts'],
          // Suites that start Kafka and workers share two cores: one file at a time, and time to start.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
