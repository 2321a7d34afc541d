/**
 * Requests of every kind, good ones changed at a few places, against the product's own app: always an answer, in time, in the right form,
 * and never an error of its own. FUZZ_CASES says how many (2,000 in `npm test`, 100,000 in `npm run test:fuzz`), FUZZ_SEED which. A failure
 * names both and the request; the same seed and number repeat it.
 */
import * as fc from 'fast-check'
import { inject, it } from 'vitest'
import { ROUTES } from '../../worker/app.ts'
import { ACTIONS } from '../../worker/tencent/api.ts'
import { checkRest, checkTencent, ensure, type Seen } from './fuzz/answers.ts'
import type { FuzzOptions } from './fuzz/options.ts'
import { restCase, restRequest, routeOf } from './fuzz/rest.ts'
import { tencentCase, tencentRequest, TRANSPORTS } from './fuzz/tencent.ts'
import { makeWorld, type World } from './fuzz/world.ts'

const given: FuzzOptions = inject('fuzz')
const { cases, seed = Math.trunc(Math.random() * 2 ** 31) } = given
const TENCENT_CASES = Math.ceil(cases * 0.6)
const REST_CASES = cases - TENCENT_CASES

/** What was made and deleted piles up, and tasks of a deployment have a limit. */
const CASES_OF_A_WORLD = 250

/** A hang, not a slow machine: no case needs a hundredth of it. */
const HANG_MS = 20_000
/** On the slowest machine; the test itself is over as soon as its cases are. */
const TIMEOUT_MS = 120_000 + cases * 50

/** From here on chance leaves out none of what has to be seen. */
const ENOUGH_CASES = 1_000
/** A success of every action. */
const ENOUGH_FOR_ALL = 20_000

interface Fuzz<T> {
  arbitrary: fc.Arbitrary<T>
  cases: number
  requestOf: (which: T, world: World) => Request | Promise<Request>
  /** What kind of answer it was, in a word. @throws for one that must not be */
  check: (seen: Seen, request: Request, which: T) => string
}

/** What went wrong, with the seed and the smallest case that was found; undefined when nothing did. */
async function fuzz<T>({
  arbitrary,
  cases,
  requestOf,
  check,
}: Fuzz<T>): Promise<string | undefined> {
  const counts = new Map<string, number>()
  let world = await makeWorld()
  let left = CASES_OF_A_WORLD
  let failed: Request | undefined
  let hung = false
  const property = fc.asyncProperty(arbitrary, async (which) => {
    // A smaller one of the kind would take as long again.
    if (hung) return
    if (left-- === 0) {
      world = await makeWorld()
      left = CASES_OF_A_WORLD
    }
    const request = await orNone(async () => requestOf(which, world))
    fc.pre(request !== undefined)
    const copy = request.clone()
    try {
      const outcome = check(await answered(request, world), request, which)
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    } catch (error) {
      failed = copy
      hung = error instanceof HungError
      throw error
    }
  })
  const { log, info, warn, debug } = console
  Object.assign(console, { log: ignore, info: ignore, warn: ignore, debug: ignore })
  const details = await fc.check(property, { seed, numRuns: cases, maxSkipsPerRun: 10 })
  Object.assign(console, { log, info, warn, debug })
  console.log(`seed ${seed}:`, Object.fromEntries(counts))
  if (!details.failed) return undefined
  const where = `FUZZ_SEED=${seed} FUZZ_CASES=${given.cases}, case ${details.numRuns}`
  const why = details.errorInstance instanceof Error ? details.errorInstance.stack : undefined
  const request = failed ? await show(failed) : ''
  return `${where}: ${why ?? 'too many cases were no requests'}\n${request}`
}

class HungError extends Error {
  override name = 'HungError'
  override message = `no answer within ${HANG_MS} ms`
}

/** No spy, which would keep what every case logged. */
const ignore = (): void => {}

/** undefined: what was asked for is no HTTP request at all. */
async function orNone(make: () => Promise<Request>): Promise<Request | undefined> {
  try {
    return await make()
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

async function answered(request: Request, world: World): Promise<Seen> {
  const errors: string[] = []
  const { error } = console
  console.error = (...said: unknown[]) => void errors.push(said.join(' '))
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new HungError()), HANG_MS)
  try {
    const answer = (async () => {
      const response = await world.fetch(request)
      return { response, text: await response.text(), errors }
    })()
    return await Promise.race([answer, late.promise])
  } finally {
    clearTimeout(timer)
    console.error = error
  }
}

/** To be read and sent again: a body that is no text in base64, a long one only in part. */
async function show(request: Request): Promise<string> {
  const { method, url, headers } = request
  const bytes = new Uint8Array(await request.arrayBuffer())
  const text = new TextDecoder().decode(bytes)
  const whole = text.includes('\ufffd') ? { base64: bytes.toBase64() } : { body: text }
  const shown = JSON.stringify({ method, url, headers: [...headers], ...whole })
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}… (${shown.length})` : shown
}

const MAX_SHOWN = 10_000

it(
  'every request to / is answered with HTTP 200 and the envelope, a known code and no internal error',
  { timeout: TIMEOUT_MS },
  async ({ expect }) => {
    const succeeded = new Set<string>()
    const failure = await fuzz({
      arbitrary: tencentCase,
      cases: TENCENT_CASES,
      requestOf: tencentRequest,
      check(answer, request, which) {
        const isCall = request.method === 'GET' || request.method === 'POST'
        if (!isCall || answer.response.status === 302) return checkOther(answer, request)
        const outcome = checkTencent(answer)
        if (outcome === 'success' && which.kind === 'call') {
          succeeded.add(which.transport).add(which.action)
        }
        return outcome
      },
    })
    expect(failure).toBeUndefined()
    // Else it would be about refused calls alone.
    const due = ['SendMessage', ...TRANSPORTS]
    expect(missing(succeeded, due, [...due, ...ACTIONS.keys()])).toEqual([])
  },
)

/** What of it was not seen, though there were enough cases for it. */
function missing(
  seen: ReadonlySet<string>,
  due: readonly string[],
  all: readonly string[],
): string[] {
  const expected = cases < ENOUGH_CASES ? [] : cases < ENOUGH_FOR_ALL ? due : all
  return expected.filter((what) => !seen.has(what))
}

/** Only a browser's bare GET is sent to the documentation. */
function checkOther(answer: Seen, request: Request): string {
  if (answer.response.status !== 302) return checkRest(answer, request.method)
  const isBare =
    !request.headers.has('authorization') && !/[?&](Action|Signature)=/.test(request.url)
  const location = answer.response.headers.get('location')
  ensure(isBare && request.method !== 'POST', `a call was redirected to ${location}`)
  return '302'
}

it(
  'every request to a REST route is answered with a status below 500, and problems where there are any',
  { timeout: TIMEOUT_MS },
  async ({ expect }) => {
    const succeeded = new Set<string>()
    const failure = await fuzz({
      arbitrary: restCase,
      cases: REST_CASES,
      requestOf: restRequest,
      check(answer, request, which) {
        const outcome = checkRest(answer, request.method)
        const [method, path] = routeOf(which)
        if (answer.response.ok && request.method === method) succeeded.add(`${method} ${path}`)
        return outcome
      },
    })
    expect(failure).toBeUndefined()
    const due = ['POST /v1/datahubs/:datahub/reports', 'POST /v1/datahubs', 'GET /v1/credentials']
    const routes = ROUTES.map(([method, path]) => `${method} ${path}`)
    expect(missing(succeeded, due, routes.filter(canSucceed))).toEqual([])
  },
)

/** There is no object in the store, no upgrade to a WebSocket, and `/` is the other test's. */
function canSucceed(route: string): boolean {
  return (
    !['GET /internal/envelopes/:object', 'GET /internal/link'].includes(route) &&
    !route.endsWith(' /')
  )
}
