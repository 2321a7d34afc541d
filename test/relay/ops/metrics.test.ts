import { readFile } from 'node:fs/promises'
import { describe, it } from 'vitest'
import { createMetrics } from '../../../relay/ops/metrics.ts'

const PREFIX = 'edgehub_relay_'

const own = createMetrics()
  .registry.getMetricsAsArray()
  .filter(({ name }) => name.startsWith(PREFIX))
  .map((metric) => ({
    ...metric,
    kind: String(metric.type),
    name: metric.name.slice(PREFIX.length),
  }))

// Name → kind, by the table in the page for operators.
async function documented(): Promise<Map<string, string>> {
  const page = await readFile(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
  const section = /\n## Metrics\n(.*?)\n## /s.exec(page)?.[1] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.flatMap((row) => {
      const [, names = '', kind = ''] = row.split('|')
      return [...names.matchAll(/`(\w+)`/g)].map(
        ([, name = '']) => [name, /\w+/.exec(kind)?.[0] ?? ''] as const,
      )
    }),
  )
}

describe('the metrics', () => {
  it('of the relay all have the prefix; the others are those of the process', ({ expect }) => {
    const all = createMetrics().registry.getMetricsAsArray()
    const others = all.map(({ name }) => name).filter((name) => !name.startsWith(PREFIX))
    expect(others.filter((name) => !/^(process|nodejs)_/.test(name))).toEqual([])
    expect(own.length).toBeGreaterThan(0)
  })

  it.for(own.map(({ name, kind, help }) => ({ name, kind, help })))(
    '$name has a help text and the name that its kind and unit ask for',
    ({ name, kind, help }, { expect }) => {
      expect(help).toMatch(/^[A-Z0-9].*\.$/)
      expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/)
      expect(name.endsWith('_total')).toBe(kind === 'counter')
      // Base units only: https://prometheus.io/docs/practices/naming/#base-units
      expect(name).not.toMatch(
        /_(ms|millis|milliseconds|minutes|hours|kb|mb|kilobytes|percent)(_|$)/,
      )
      if (/in seconds/.test(help)) expect(name).toMatch(/_seconds$/)
      if (name.endsWith('_seconds')) expect(help).toMatch(/in seconds/)
    },
  )

  it('labels are few, and of a closed list', ({ expect }) => {
    const labels = createMetrics()
      .registry.getMetricsAsArray()
      .filter(({ name }) => name.startsWith(PREFIX))
      .flatMap((metric) =>
        'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames : [],
      )
    expect(new Set(labels)).toEqual(
      new Set(['answer', 'op', 'reason', 'result', 'shard', 'source', 'target']),
    )
  })

  it('are those that docs/operations.md lists, each with its kind, and no others', async ({
    expect,
  }) => {
    const inDocs = [...(await documented())].map(([name, kind]) => `${name}, ${kind}`)
    const inCode = own.map(({ name, kind }) => `${name}, ${kind}`)
    const missing = inCode.filter((metric) => !inDocs.includes(metric))
    const unknown = inDocs.filter((metric) => !inCode.includes(metric))
    expect({ missing, unknown }).toEqual({ missing: [], unknown: [] })
  })
})
