/** `GET /v1/topics`, `GET /v1/topics/{topic}`: the topics that the caller may read, by pages, and what a relay knows of one. */
import { answer, refuse, type AppContext } from '../context.ts'
import { pageOf, parsePageQuery } from '../page.ts'
import { viewOf } from '../query/view.ts'
import { sendPage } from './managed.ts'

const LIST = 'topics'

export async function listTopics(c: AppContext): Promise<Response> {
  const query = parsePageQuery(new URL(c.req.url).searchParams, LIST)
  if (query.status === 'rejected') return refuse(c, query.rejection)
  const view = await viewOf(c.get('reader'), c.get('services'))
  const found = await view.topics()
  if (found.status === 'rejected') return refuse(c, found.rejection, found.cause)
  const { items, cursor } = pageOf(found.value, ({ name }) => [0, name], query.value, LIST)
  const topics = items.map(({ name: topic, ...rest }) => ({ topic, ...rest }))
  return sendPage(c, LIST, topics, cursor)
}

export async function getTopic(c: AppContext): Promise<Response> {
  const view = await viewOf(c.get('reader'), c.get('services'))
  const found = await view.ask({ op: 'topic', topic: c.req.param('topic') ?? '' }, 'topic')
  if (found.status === 'rejected') return refuse(c, found.rejection, found.cause)
  const { name: topic, ...rest } = found.value.topic
  return answer(200, { topic, ...rest })
}
