import { describe, it } from 'vitest'
import { OPERATIONS } from '../../dev/openapi/operations.ts'
import { ROUTES } from '../../worker/app.ts'

describe('the description of the interface', () => {
  it('has every route of the worker, and no other', ({ expect }) => {
    const routes = ROUTES.map(([method, path]) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    expect(Object.keys(OPERATIONS).sort()).toEqual(routes.sort())
  })
})
