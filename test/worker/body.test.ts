import { describe, it } from 'vitest'
import { contentEncodingOf, decodeUtf8, readBody } from '../../worker/body.ts'

/** A body of unknown length, as a client that streams sends it. */
function streamed(chunks: number, onCancel = (): void => {}): Request {
  let given = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (given++ < chunks) controller.enqueue(new Uint8Array(10).fill(given))
      else controller.close()
    },
    cancel: onCancel,
  })
  return new Request('https://edge.test/', { method: 'POST', body })
}

describe('a content encoding', () => {
  it('is none when it says that there is none', ({ expect }) => {
    for (const value of ['', 'identity', ' IDENTITY ']) {
      expect(contentEncodingOf(new Headers({ 'Content-Encoding': value }))).toBeUndefined()
    }
    expect(contentEncodingOf(new Headers())).toBeUndefined()
  })

  it('is quoted no further than the name of any is long', ({ expect }) => {
    const encodingOf = (value: string) =>
      contentEncodingOf(new Headers({ 'Content-Encoding': value }))
    expect(encodingOf('GZip, br')).toBe('gzip, br')
    expect(encodingOf('x'.repeat(9_000))).toBe('x'.repeat(64))
  })
})

describe('readBody', () => {
  it('reads up to the limit, chunk after chunk', async ({ expect }) => {
    const body = await readBody(streamed(3), 30)
    expect(body).toEqual(new Uint8Array([1, 2, 3].flatMap((n) => Array<number>(10).fill(n))))
  })

  it('stops reading one byte past the limit', async ({ expect }) => {
    let cancelled = false
    const request = streamed(1_000_000, () => {
      cancelled = true
    })
    expect(await readBody(request, 29)).toBeUndefined()
    expect(cancelled).toBe(true)
  })

  it('refuses by Content-Length without reading', async ({ expect }) => {
    const request = new Request('https://edge.test/', { method: 'POST', body: 'x'.repeat(31) })
    const announced = new Request(request, { headers: { 'Content-Length': '31' } })
    expect(await readBody(announced, 30)).toBeUndefined()
    expect(announced.bodyUsed).toBe(false)
  })

  it('reads what was announced at once, and believes no announcement that is too small', async ({
    expect,
  }) => {
    const announcing = (length: number): Request =>
      new Request('https://edge.test/', {
        method: 'POST',
        body: 'x'.repeat(31),
        headers: { 'Content-Length': `${length}` },
      })
    expect(await readBody(announcing(31), 31)).toHaveLength(31)
    expect(await readBody(announcing(1), 30)).toBeUndefined()
  })

  it('reads no body as empty', async ({ expect }) => {
    expect(await readBody(new Request('https://edge.test/'), 1)).toEqual(new Uint8Array())
  })
})

describe('decodeUtf8', () => {
  it.for([
    ['text', [0x68, 0xc3, 0xbc], 'hü'],
    ['a byte order mark, kept', [0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
    ['a cut sequence', [0xc3], undefined],
    ['an encoded surrogate', [0xed, 0xa0, 0x80], undefined],
    ['an overlong form', [0xc0, 0x80], undefined],
  ] as const)('%s', ([, bytes, text], { expect }) => {
    expect(decodeUtf8(new Uint8Array(bytes))).toBe(text)
  })
})
