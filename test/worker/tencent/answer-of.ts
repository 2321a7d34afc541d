/** The `Response` of Tencent's envelope; every answer is checked for what all answers have in common. */
import type { ExpectStatic } from 'vitest'

export interface Answer {
  Error?: { Code: string; Message: string }
  MessageId?: string[]
  RequestId: string
}

export async function answerOf(response: Response, expect: ExpectStatic): Promise<Answer> {
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  const text = await response.text()
  expect(text).not.toContain('"Error":null')
  const json: { Response: Answer } = JSON.parse(text)
  expect(Object.keys(json)).toEqual(['Response'])
  expect(json.Response.RequestId).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  return json.Response
}
