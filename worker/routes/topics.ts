/** `GET /v1/topics`, `GET /v1/topics/{topic}`: the topics that the caller may read, and what a relay knows of one. */
import { answer, refuse, type AppContext } from '../context.ts'
import { viewOf } from '../query/view.ts'

export async function listTopics(c: AppContext): Promise<Response> {
  const view = await viewOf(c.get('reader'), c.get('services'))
  const found = await view.topics()
  if (found.status === 'rejected') return refuse(c, found.rejection, found.cause)
  return answer(200, {
    topics: found.value.map(({ name: topic, ...rest }) => ({ topic, ...rest })),
  })
}

export async function getTopic(c: AppContext): Promise<Response> {
  const view = await viewOf(c.get('reader'), c.get('services'))
  const found = await view.ask({ op: 'topic', topic: c.req.param('topic') ?? '' }, 'topic')
  if (found.status === 'rejected') return refuse(c, found.rejection, found.cause)
  const { name: topic, ...rest } = found.value.topic
  return answer(200, { topic, ...rest })
}
