import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, it, onTestFinished } from 'vitest'
import { LINK_CLOSE, LINK_PING, LINK_PONG, LINK_VERSION, MAX_LINK_FRAME_BYTES } from '#contract'
import {
  INSTANCE,
  TOKEN,
  clusterQuery,
  peerOf,
  startRig,
  type LinkEvent,
  type Rig,
  type RigOptions,
} from './rig.ts'

async function start(options?: RigOptions): Promise<Rig> {
  const rig = await startRig(options)
  onTestFinished(() => rig.stop())
  return rig
}

const endsOf = (events: readonly LinkEvent[]) =>
  events.flatMap((e) => (e.event === 'ended' ? [`${e.status}: ${e.why}`] : []))
const pausesOf = (events: readonly LinkEvent[]) =>
  events.flatMap((e) => (e.event === 'pause' ? [e.ms] : []))
const firstEnd = (rig: Rig) => rig.until(() => endsOf(rig.events)[0])

describe('the link', () => {
  it('dials /internal/link with its token and says hello; it is connected when it is welcomed', async ({
    expect,
  }) => {
    const rig = await start()
    const peer = peerOf(await rig.server.connection())
    expect(peer.request.url).toBe('/internal/link')
    expect(peer.request.headers.authorization).toBe(`Bearer ${TOKEN}`)
    const hello = { type: 'hello', v: LINK_VERSION, instance: INSTANCE, relay: 'relay-1' }
    expect(await peer.frame()).toEqual(hello)
    expect(rig.events).toEqual([])
    peer.tell({ type: 'welcome', v: LINK_VERSION })
    await rig.until(() => rig.events.length > 0)
    expect(rig.events).toEqual([{ event: 'connected' }])
  })

  it('comes back when the worker closes, and when the line breaks', async ({ expect }) => {
    const rig = await start()
    const first = await rig.welcomed()
    first.close(1012, 'a new version is deployed')
    const second = await rig.welcomed()
    expect(await first.ended).toBe(1012)
    second.destroy()
    await rig.welcomed()
    await rig.until(() => rig.events.filter((e) => e.event === 'connected').length === 3)
    expect(endsOf(rig.events)).toEqual([
      'lost: a new version is deployed',
      'lost: the line ended with 1006',
    ])
  })

  it('waits ever longer while nobody is there, up to ten seconds, and says what is wrong', async ({
    expect,
  }) => {
    const nobody = createServer().listen(0, '127.0.0.1')
    await once(nobody, 'listening')
    const { port } = nobody.address() as AddressInfo
    nobody.close()
    const rig = await start({ url: `http://127.0.0.1:${port}` })
    const pauses = await rig.until(() => {
      const all = pausesOf(rig.events)
      return all.length >= 8 && all.slice(0, 8)
    })
    expect(pauses).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
    expect(await firstEnd(rig)).toBe(`failed: connect ECONNREFUSED 127.0.0.1:${port}`)
  })

  it('waits ever longer also when each connection ends at once; one that lived sets the wait back', async ({
    expect,
  }) => {
    let now = 0
    const rig = await start({ clock: () => now })
    for (const livedMs of [0, 9_999, 0, 10_000, 0]) {
      const peer = await rig.welcomed()
      const connects = rig.events.filter((e) => e.event === 'pause').length + 1
      await rig.until(() => rig.events.filter((e) => e.event === 'connected').length === connects)
      now += livedMs
      peer.destroy()
      await rig.until(() => pausesOf(rig.events).length === connects)
    }
    expect(pausesOf(rig.events)).toEqual([200, 400, 800, 200, 400])
  })

  it.for<[string, number, string]>([
    ['version', LINK_CLOSE.badVersion, 'another version'],
    ['instance', LINK_CLOSE.badInstance, 'another instance'],
  ])(
    'is refused by a worker of an other %s, and tries again slowly',
    async ([, code, why], { expect }) => {
      const rig = await start()
      for (let i = 0; i < 2; i++) {
        const peer = peerOf(await rig.server.connection())
        await peer.frame()
        peer.close(code, why)
      }
      await rig.until(() => pausesOf(rig.events).length >= 2)
      expect(endsOf(rig.events)).toEqual([`refused: ${why}`, `refused: ${why}`])
      expect(pausesOf(rig.events)).toEqual([30_000, 30_000])
    },
  )

  it('refuses a welcome of an other version', async ({ expect }) => {
    const rig = await start()
    const peer = peerOf(await rig.server.connection())
    peer.tell({ type: 'welcome', v: LINK_VERSION + 1 })
    expect(await firstEnd(rig)).toBe(
      `refused: the worker speaks version ${LINK_VERSION + 1} of the link, the relay ${LINK_VERSION}`,
    )
    expect(await peer.ended).toBe(LINK_CLOSE.badVersion)
  })

  it.for([
    [401, 'refused', 30_000],
    [404, 'refused', 30_000],
    [429, 'failed', 200],
    [500, 'failed', 200],
    [503, 'failed', 200],
  ] as const)('a handshake answered with %i is %s', async ([status, as, pause], { expect }) => {
    const rig = await start({ isPatient: true })
    rig.server.refuseWith = status
    expect(await firstEnd(rig)).toBe(`${as}: the worker answers ${status}`)
    await rig.until(() => pausesOf(rig.events).length > 0)
    expect(pausesOf(rig.events)[0]).toBe(pause)
  })

  it.for<[string, (rig: Rig) => void]>([
    ['does not answer the handshake', (rig) => void (rig.server.isDeaf = true)],
    ['says no welcome', () => undefined],
  ])('gives up a worker that %s in time', async ([, prepare], { expect }) => {
    const rig = await start({ times: { welcomeMs: 50 } })
    prepare(rig)
    expect(await firstEnd(rig)).toMatch(/^failed: /)
    await rig.until(() => pausesOf(rig.events).length >= 2)
  })

  it('gives up a line that is half-open, at once and without its consent', async ({ expect }) => {
    const rig = await start({ times: { silenceMs: 30, pongMs: 50, closeMs: 60_000 } })
    const peer = await rig.welcomed()
    expect(await peer.text()).toBe(LINK_PING)
    peer.stopReading()
    expect(await firstEnd(rig)).toBe('lost: nothing comes from the worker any more')
    await rig.welcomed()
    peer.destroy()
  })

  it('keeps a silent line whose pings are answered', async ({ expect }) => {
    const rig = await start({ times: { silenceMs: 20, pongMs: 1_000 } })
    const peer = await rig.welcomed()
    for (let i = 0; i < 2; i++) {
      expect(await peer.text()).toBe(LINK_PING)
      peer.send(LINK_PONG)
    }
    expect(rig.events).toEqual([{ event: 'connected' }])
  }, 10_000)

  it.for<[string, (peer: Awaited<ReturnType<Rig['welcomed']>>) => void]>([
    ['no JSON', (peer) => peer.send('{')],
    ['JSON that is no frame', (peer) => peer.send('{"type":"dance"}')],
    ['a frame with more in it', (peer) => peer.send('{"type":"cancel","id":1,"why":"x"}')],
    ['bytes', (peer) => peer.sendBinary(Buffer.from('{"type":"cancel","id":1}'))],
    ['a second welcome', (peer) => peer.tell({ type: 'welcome', v: LINK_VERSION })],
    [
      'an id that is open',
      (peer) => {
        peer.tell(clusterQuery(1))
        peer.tell(clusterQuery(1))
      },
    ],
  ])('closes when the worker sends %s, and comes back', async ([, send], { expect }) => {
    const rig = await start()
    const peer = await rig.welcomed()
    send(peer)
    expect(await peer.ended).toBe(LINK_CLOSE.badFrame)
    expect(await firstEnd(rig)).toMatch(/^lost: the worker sent /)
    await rig.welcomed()
  })

  it('closes when the worker asks before its welcome', async ({ expect }) => {
    const rig = await start()
    const peer = peerOf(await rig.server.connection())
    peer.tell(clusterQuery(1))
    expect(await peer.ended).toBe(LINK_CLOSE.badFrame)
    expect(await firstEnd(rig)).toBe('failed: the worker sent query at the wrong time')
    expect(rig.asked).toEqual([])
  })

  it('takes no message above the limit, and does not wait for its end', async ({ expect }) => {
    const rig = await start()
    const peer = await rig.welcomed()
    const head = Buffer.alloc(10)
    head[0] = 0x81
    head[1] = 127
    head.writeBigUInt64BE(BigInt(MAX_LINK_FRAME_BYTES + 1), 2)
    peer.write(head)
    expect(await firstEnd(rig)).toMatch(/^lost: /)
    await rig.welcomed()
  })

  it('breaks off when what comes is not WebSocket', async ({ expect }) => {
    const rig = await start()
    const peer = await rig.welcomed()
    peer.write(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))
    expect(await firstEnd(rig)).toMatch(/^lost: /)
    await rig.welcomed()
  })

  it('hands on whom the worker wakes', async ({ expect }) => {
    const rig = await start()
    const peer = await rig.welcomed()
    peer.tell({ type: 'wake', shards: [0, 7] })
    const woken = await rig.until(() => rig.events.find((e) => e.event === 'wake'))
    expect(woken).toEqual({ event: 'wake', shards: [0, 7] })
  })
})

describe('a stop', () => {
  it('says goodbye to the worker and is not a loss', async ({ expect }) => {
    const rig = await startRig()
    const peer = await rig.welcomed()
    await rig.until(() => rig.events.length > 0)
    await rig.stop()
    expect(await peer.ended).toBe(1000)
    expect(rig.events).toEqual([{ event: 'connected' }])
  })

  it.for<[string, (rig: Rig) => Promise<unknown>]>([
    ['while it dials', async () => undefined],
    [
      'while the handshake is not answered',
      async (rig) => {
        rig.server.isDeaf = true
      },
    ],
    ['before the welcome', (rig) => rig.server.connection()],
    ['while the worker does not read', async (rig) => (await rig.welcomed()).stopReading()],
    [
      'between two tries',
      async (rig) => {
        rig.server.refuseWith = 404
        await rig.until(() => pausesOf(rig.events).length > 0)
      },
    ],
  ])('%s ends it', async ([, prepare], { expect }) => {
    const rig = await startRig({ isPatient: true })
    await prepare(rig)
    await rig.stop()
    expect(endsOf(rig.events).filter((end) => !end.startsWith('refused'))).toEqual([])
  })
})
