/**
 * The worker of the edge bench, one entrypoint a socket: the product's own app and registry over bindings that answer at once, beside the
 * routes that it is compared with. All of them are in one isolate, so they share compiled code, heap and machine. Nothing here is deployed.
 */
import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import type { Outcome, TargetState } from '#contract'
import { createApp } from '../../../worker/app.ts'
import { REGISTRY_NAME } from '../../../worker/registry/registry.ts'
import { servicesFor } from '../../../worker/services.ts'
import { stagesApp } from './stages.ts'

export { Registry } from '../../../worker/registry/registry.ts'

type Entrypoint = Pick<Required<ExportedHandler>, 'fetch'>

/** What the outcomes that are waited for say; told before each case. */
export interface Told {
  datahub: string
  topic: string
  /** Messages of a call. */
  count: number
}

let outcomeText = ''

function tell({ datahub, topic, count }: Told): void {
  const now = Date.now()
  const outcome: Outcome = {
    datahub,
    topic,
    received: now,
    sent: now,
    runs: [[count, 0, '1000000']],
  }
  outcomeText = JSON.stringify(outcome)
}

/** The registry is the real object, whose answers the worker caches; queues, store, link and status answer at once. */
function bindingsOf(waitMs: number, wait: () => Promise<string | null>): Env {
  const queue = { send: async () => undefined }
  const shards = Array.from({ length: 8 }, (_, k) => [`QUEUE_${k}`, queue])
  return {
    ...env,
    ...Object.fromEntries(shards),
    SEND_MESSAGE_WAIT_MS: String(waitMs),
    STATUS: { getByName: () => ({ wait }) },
    RELAY_LINK: {
      getByName: () => ({ wake: async () => undefined, watchTargets: async () => undefined }),
    },
    ENVELOPES: { put: async () => undefined },
  } as Env
}

function edge(bindings: Env): Entrypoint {
  const app = createApp(servicesFor)
  return { fetch: (request, _env, context) => app.fetch(request, bindings, context) }
}

/** The outcome is there when it is asked for. */
export const send = edge(bindingsOf(10_000, async () => outcomeText))
/** No outcome within the hold, which is none: the answer has a receipt for each message. */
export const pending = edge(bindingsOf(0, async () => null))

const staged = stagesApp(bindingsOf(10_000, async () => outcomeText))
export const stages: Entrypoint = {
  fetch: (request, _env, context) => staged.fetch(request, undefined, context),
}

const emptyApp = new Hono()
emptyApp.get('/', (c) => c.json({ ok: true }))
emptyApp.post('/', (c) => c.json({ ok: true }))
emptyApp.post('/read', async (c) => c.json({ bytes: (await c.req.arrayBuffer()).byteLength }))
emptyApp.post('/hash', async (c) => {
  const hash = await sha256Hex(await c.req.arrayBuffer())
  // As long as what an SDK signs; the text itself does not matter.
  const canonical = await sha256Hex(encoder.encode(`${CANONICAL_HEAD}${hash}`))
  const text = encoder.encode(
    `TC3-HMAC-SHA256\n1704790596\n2024-01-09/ckafka/tc3_request\n${canonical}`,
  )
  const isGood = await crypto.subtle.verify('HMAC', await signingKey(), SOME_SIGNATURE, text)
  return c.json({ isGood })
})
export const empty: Entrypoint = {
  fetch: (request, _env, context) => emptyApp.fetch(request, undefined, context),
}

const encoder = new TextEncoder()
const SOME_SIGNATURE = new Uint8Array(32)
const CANONICAL_HEAD =
  'POST\n/\n\ncontent-type:application/json\nhost:127.0.0.1:18180\n\ncontent-type;host\n'

let importedKey: CryptoKey | undefined

async function signingKey(): Promise<CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  importedKey ??= await crypto.subtle.importKey('raw', new Uint8Array(32), algorithm, false, [
    'verify',
  ])
  return importedKey
}

async function sha256Hex(bytes: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toHex()
}

/** What the bench itself needs: the target made fit, as a relay does it, and what the next outcomes say. */
export const control: Entrypoint = {
  async fetch(request) {
    if (new URL(request.url).pathname === '/targets') {
      const states = await request.json<TargetState[]>()
      await env.REGISTRY.getByName(REGISTRY_NAME).applyTargets(states)
    } else {
      tell(await request.json<Told>())
    }
    return new Response()
  },
}

export default empty
