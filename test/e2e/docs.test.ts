import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { startStack, type TestStack } from '../support/stack.ts'

let stack: TestStack
beforeAll(async () => {
  stack = await startStack({ brokers: inject('brokers') })
})
afterAll(async () => {
  await stack.stop()
})

const get = (path: string, init: RequestInit = {}) =>
  fetch(`${stack.dev.api}${path}`, { redirect: 'manual', ...init })

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'

describe('the description of the interface', () => {
  it('is served as it is committed', async ({ expect }) => {
    const response = await get('/openapi.json')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.text()).toBe(await file('worker/static/openapi.json'))
  })

  it('has a page of its own, with nothing from elsewhere', async ({ expect }) => {
    const page = await get('/docs/')
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/https?:|\*|unsafe/)
    expect(policy).toMatch(/script-src 'self';/)
    const html = await page.text()
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part)
    expect(parts).toEqual(
      expect.arrayContaining([
        'swagger-ui.css',
        'swagger-ui-bundle.js',
        'docs.js',
        '/openapi.json',
      ]),
    )
    for (const part of parts.filter((p) => !p.startsWith('data:'))) {
      const { pathname, origin } = new URL(part, `${stack.dev.api}/docs/`)
      expect(origin).toBe(new URL(stack.dev.api).origin)
      expect([part, (await get(pathname)).status]).toEqual([part, 200])
    }
    const license = await get('/docs/swagger-ui-bundle.js.LICENSE.txt')
    expect(license.status).toBe(200)
    const library = await get('/docs/swagger-ui-bundle.js')
    expect(library.headers.get('content-type')).toMatch(/javascript/)
    expect(await library.text()).toBe(
      await file('node_modules/swagger-ui-dist/swagger-ui-bundle.js'),
    )
  })

  it('is where a browser is led from the root and from /docs', async ({ expect }) => {
    const root = await get('/', { headers: { accept: BROWSER } })
    expect([root.status, root.headers.get('location')]).toEqual([302, '/docs/'])
    const docs = await get('/docs')
    expect([docs.status, docs.headers.get('location')]).toEqual([307, '/docs/'])
  })
})

describe('the worker', () => {
  it('answers all other addresses, also beside the page', async ({ expect }) => {
    for (const path of ['/docs/missing', '/docsx', '/nowhere', '/_headers', '/docs/index.html']) {
      const response = await get(path)
      expect([path, response.status]).toEqual([path, 404])
      expect(await response.json()).toMatchObject({ type: '/problems/route-not-found' })
    }
    expect((await get('/livez')).status).toBe(200)
    expect((await get('/v1/datahubs')).status).toBe(401)
    const call = await get('/')
    expect(call.status).toBe(200)
    expect(await call.json()).toHaveProperty('Response.Error.Code')
  })
})
