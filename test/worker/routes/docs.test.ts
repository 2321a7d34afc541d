import { describe, it } from 'vitest'
import { testClient } from '../support/client.ts'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'

const get = (path: string, headers: Record<string, string>, method = 'GET') =>
  testClient().fetch(path, { method, headers })

describe('GET / leads to the description', () => {
  it.for([
    ['a browser', BROWSER],
    ['HTML alone', 'text/html'],
    ['HTML rather than JSON', 'application/json;q=0.9, text/html'],
  ])('for %s', async ([, accept = ''], { expect }) => {
    for (const method of ['GET', 'HEAD']) {
      const response = await get('/', { Accept: accept }, method)
      expect([response.status, response.headers.get('Location')]).toEqual([302, '/docs/'])
      expect(response.headers.get('Vary')).toBe('Accept')
    }
  })

  it.for([
    ['whoever takes anything', '/', { Accept: '*/*' }],
    ['whoever says nothing', '/', {}],
    ['JSON rather than HTML', '/', { Accept: 'application/json, text/html;q=0.9' }],
    ['whoever would take HTML at a pinch', '/', { Accept: 'text/html;q=0.1, */*' }],
    ['who wants no HTML', '/', { Accept: 'text/html;q=0, */*' }],
    ['a signed call', '/', { Accept: BROWSER, Authorization: 'TC3-HMAC-SHA256 x' }],
    ['a named action', '/', { Accept: BROWSER, 'X-TC-Action': 'SendMessage' }],
    ['a named action in the query', '/?Action=SendMessage', { Accept: BROWSER }],
    ['a signature in the query', '/?Signature=', { Accept: BROWSER }],
  ] as const)('but not for %s', async ([, path, headers], { expect }) => {
    const response = await get(path, headers)
    expect(response.status).toBe(200)
    expect(await response.json()).toHaveProperty('Response.RequestId')
  })

  it('never takes a POST away', async ({ expect }) => {
    const response = await get('/', { Accept: BROWSER }, 'POST')
    expect(response.status).toBe(200)
  })
})
