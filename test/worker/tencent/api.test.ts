import { describe, it } from 'vitest'
import { createAccept } from '../../../worker/accept.ts'
import { handleTencentRequest } from '../../../worker/tencent/api.ts'
import { UnavailableError } from '../../../worker/unavailable.ts'
import { answerOf } from './answer-of.ts'
import { captureOf, clockOf, httpRequestOf, SECRET_ID } from './captures.ts'
import { DATAHUB, fakeDeps, HIDDEN_DATAHUB, outcomeOf, receiptOf, RECEIVED } from './fake-deps.ts'
import { signedCall } from './sign.ts'

const messages = (...list: unknown[]): string =>
  JSON.stringify({ DataHubId: DATAHUB, Message: list })
const GOOD = messages({ Key: 'k', Body: 'hello' })

describe('captured SendMessage calls', () => {
  it('echo their trace id', async ({ expect }) => {
    const { deps } = fakeDeps()
    const response = await handleTencentRequest(httpRequestOf(captureOf('node-tc3-post')), deps)
    expect(response.headers.get('x-tc-traceid')).toBe('00000000-0000-4000-8000-000000000001')
  })

  it('pass `X-TC-Token` by, for a credential that has none', async ({ expect }) => {
    for (const name of ['node-tc3-post-token-lang', 'node-hmacsha1-post-token-lang']) {
      const { deps, accepted } = fakeDeps()
      await handleTencentRequest(httpRequestOf(captureOf(name)), deps)
      expect(accepted, name).toHaveLength(1)
    }
  })

  it('with the token of their temporary credential are accepted, with none or another refused', async ({
    expect,
  }) => {
    const tokens = { 'stsTokenExample/+==': true, 'stsTokenExample/+=': false, '': false }
    const names = [
      'node-tc3-post-token-lang',
      'java-3.1.430-tc3-post-token-lang',
      'node-hmacsha1-post-token-lang',
    ]
    for (const name of names) {
      for (const [sessionToken, isRight] of Object.entries(tokens)) {
        const now = () => clockOf(captureOf(name))
        const { deps, accepted } = fakeDeps({ now, credential: { sessionToken } })
        const response = await handleTencentRequest(httpRequestOf(captureOf(name)), deps)
        const answer = await answerOf(response, expect)
        expect(answer.Error, name).toEqual(
          isRight
            ? undefined
            : { Code: 'AuthFailure.TokenFailure', Message: 'The token is not valid.' },
        )
        expect(accepted).toHaveLength(isRight ? 1 : 0)
      }
    }
    for (const name of ['node-tc3-post', 'node-hmacsha1-post', 'python-tc3-get']) {
      const { deps } = fakeDeps({ credential: { sessionToken: 'stsTokenExample/+==' } })
      const response = await handleTencentRequest(httpRequestOf(captureOf(name)), deps)
      expect((await answerOf(response, expect)).Error?.Code).toBe('AuthFailure.TokenFailure')
    }
  })

  it('with a wrong secret are refused before their token is compared', async ({ expect }) => {
    const credential = { sessionToken: 'other', secretKeys: ['other'] }
    const { deps } = fakeDeps({ credential })
    const request = httpRequestOf(captureOf('node-tc3-post-token-lang'))
    const answer = await answerOf(await handleTencentRequest(request, deps), expect)
    expect(answer.Error?.Code).toBe('AuthFailure.SignatureFailure')
  })
})

describe('answers', () => {
  it('carry the MessageIds of delivered messages in order', async ({ expect }) => {
    const outcome = outcomeOf([
      [2, 4, '41'],
      [1, 0, '7'],
    ])
    const { deps } = fakeDeps({ outcome: async () => outcome })
    const call = await signedCall(messages({ Body: 'a' }, { Body: 'b' }, { Body: 'c' }))
    const answer = await answerOf(await handleTencentRequest(call, deps), expect)
    const tail = `${RECEIVED}:${RECEIVED + 57}`
    expect(answer.MessageId).toEqual([
      `${DATAHUB}:topicDev:4:41:${tail}`,
      `${DATAHUB}:topicDev:4:42:${tail}`,
      `${DATAHUB}:topicDev:0:7:${tail}`,
    ])
  })

  it('without an outcome are a success with pending ids', async ({ expect }) => {
    const { deps } = fakeDeps()
    const call = await signedCall(messages({ Body: 'a' }, { Body: 'b' }))
    const answer = await answerOf(await handleTencentRequest(call, deps), expect)
    expect(answer.MessageId).toEqual([
      `${DATAHUB}:topicDev:-1:-1:${RECEIVED}:0:${await receiptOf(0, 1)}`,
      `${DATAHUB}:topicDev:-1:-1:${RECEIVED}:0:${await receiptOf(1, 1)}`,
    ])
  })

  it('stay a success when the outcome can not be asked for', async ({ expect }) => {
    const { deps, logged } = fakeDeps({
      outcome: () => Promise.reject(new UnavailableError('status store away')),
    })
    const answer = await answerOf(await handleTencentRequest(await signedCall(GOOD), deps), expect)
    expect(answer.MessageId?.[0]).toContain(':-1:-1:')
    expect(logged).toMatchObject([{ level: 'error', requestId: answer.RequestId }])
  })

  it('fail as a whole when one message failed', async ({ expect }) => {
    const outcome = outcomeOf([
      [1, 4, '41'],
      [1, 'record_too_large'],
    ])
    const { deps } = fakeDeps({ outcome: async () => outcome })
    const call = await signedCall(messages({ Body: 'a' }, { Body: 'b' }))
    const answer = await answerOf(await handleTencentRequest(call, deps), expect)
    expect(answer.MessageId).toBeUndefined()
    expect(answer.Error).toEqual({
      Code: 'FailedOperation',
      Message: `1 of 2 messages failed, 1 were delivered: record_too_large (Message 1). Receipt: ${await receiptOf(0, 2)}`,
    })
  })

  it('pass a valid traceparent on, and drop any other', async ({ expect }) => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    for (const text of [traceparent, 'nonsense']) {
      const { deps, accepted } = fakeDeps()
      const call = await signedCall(GOOD, { headers: { traceparent: text } })
      await handleTencentRequest(call, deps)
      expect(accepted[0]?.traceparent).toBe(text === traceparent ? text : undefined)
    }
  })
})

describe('permission', () => {
  it('tells nothing of a datahub outside the credential, not even by a look-up', async ({
    expect,
  }) => {
    const { deps, asked } = fakeDeps()
    const answers = []
    for (const datahub of [HIDDEN_DATAHUB, 'datahub-nothing0']) {
      const call = await signedCall(GOOD.replace(DATAHUB, datahub))
      const answer = await answerOf(await handleTencentRequest(call, deps), expect)
      answers.push({ ...answer.Error, Message: answer.Error?.Message.replace(datahub, 'X') })
    }
    expect(answers[0]).toEqual(answers[1])
    expect(asked).toEqual([SECRET_ID, SECRET_ID])
  })

  it('needs the scope send', async ({ expect }) => {
    const { deps, accepted } = fakeDeps({ credential: { scopes: ['query', 'manage'] } })
    const answer = await answerOf(await handleTencentRequest(await signedCall(GOOD), deps), expect)
    expect(answer.Error).toEqual({
      Code: 'AuthFailure.UnauthorizedOperation',
      Message: 'The credential is not allowed to call `SendMessage`.',
    })
    expect(accepted).toEqual([])
  })

  it('for all datahubs finds each', async ({ expect }) => {
    const { deps, accepted } = fakeDeps({ credential: { datahubs: 'all' } })
    const call = await signedCall(GOOD.replace(DATAHUB, HIDDEN_DATAHUB))
    await answerOf(await handleTencentRequest(call, deps), expect)
    expect(accepted).toHaveLength(1)
  })
})

describe('a task that is not running', () => {
  it.for([
    [-1, 'failed'],
    [0, 'creating'],
    [2, 'deleting'],
    [3, 'deleting'],
    [4, 'deleting'],
    [5, 'suspended'],
    [6, 'suspended'],
  ] as const)(
    'in state %i is answered as %s, and nothing is sent',
    async ([status, state], { expect }) => {
      const sent: unknown[] = []
      const accept = createAccept({
        shards: 1,
        send: async (...args) => void sent.push(args),
        putObject: async (...args) => void sent.push(args),
        receiptKey: () => Promise.reject(new Error('not needed')),
        now: () => RECEIVED,
        randomBytes: (length) => new Uint8Array(length),
        rateLimit: { take: () => true },
        log: () => undefined,
      })
      const { deps } = fakeDeps({ accept, task: { status } })
      const answer = await answerOf(
        await handleTencentRequest(await signedCall(GOOD), deps),
        expect,
      )
      const Message = `task status ${state} [${DATAHUB}]`
      expect(answer.Error).toEqual({ Code: 'FailedOperation', Message })
      expect(sent).toEqual([])
    },
  )
})

const away = () => Promise.reject(new UnavailableError('registry away'))

describe('when a part of the worker fails', () => {
  it('an unexpected error is an InternalError with the RequestId that the log has', async ({
    expect,
  }) => {
    const { deps, logged } = fakeDeps({ accept: () => Promise.reject(new Error('broken')) })
    const answer = await answerOf(await handleTencentRequest(await signedCall(GOOD), deps), expect)
    expect(answer.Error?.Code).toBe('InternalError')
    expect(answer.Error?.Message).not.toContain('broken')
    const entry = { level: 'error', requestId: answer.RequestId, cause: 'Error: broken' }
    expect(logged).toMatchObject([entry])
  })

  it('a directory that is away is a ServiceUnavailable, not an unknown key', async ({ expect }) => {
    const { deps } = fakeDeps({
      directory: { findCredential: away, findTask: away, topicsOf: away },
    })
    const answer = await answerOf(await handleTencentRequest(await signedCall(GOOD), deps), expect)
    expect(answer.Error?.Code).toBe('ServiceUnavailable')
  })

  it('an accept that is not confirmed says so', async ({ expect }) => {
    const { deps, logged } = fakeDeps({
      accept: async () => ({
        status: 'rejected',
        rejection: { reason: 'not_confirmed', keyed: false },
      }),
    })
    const answer = await answerOf(await handleTencentRequest(await signedCall(GOOD), deps), expect)
    expect(answer.Error?.Code).toBe('InternalError')
    expect(answer.Error?.Message).toContain('not confirmed')
    expect(logged).toMatchObject([{ level: 'error', reason: 'not_confirmed' }])
  })

  it('a log that throws costs nobody an answer', async ({ expect }) => {
    const { deps } = fakeDeps({
      log: () => {
        throw new Error('log broken')
      },
    })
    const call = await signedCall(GOOD, { secretKey: 'wrong' })
    const answer = await answerOf(await handleTencentRequest(call, deps), expect)
    expect(answer.Error?.Code).toBe('AuthFailure.SignatureFailure')
  })

  it('the candidates of a signature go to the log alone', async ({ expect }) => {
    const { deps, logged } = fakeDeps({ hostAliases: ['alias.example'] })
    const response = await handleTencentRequest(await signedCall(GOOD, { secretKey: 'x' }), deps)
    expect(await response.text()).not.toContain('alias.example')
    expect(logged[0]?.['tried']).toContain('alias.example')
  })
})
