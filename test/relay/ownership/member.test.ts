import { inject, it } from 'vitest'
import { createAssigner } from '../../../relay/ownership/assigner.ts'
import { startMember } from '../../../relay/ownership/member.ts'
import { createGroup, createNetwork } from './relays.ts'

const brokers = inject('brokers')

it('a member whose line is half open does not hang on it: it ends, and lets go of what waits for an answer', async ({
  expect,
}) => {
  const { groupId, topic, createRelay } = await createGroup(brokers)
  // A coordinator that is still loading would end the member before its time.
  const first = createRelay('first')
  void first.start()
  await first.owns(4)
  await first.stop()
  const network = createNetwork()
  const events: string[] = []
  const heard = Promise.withResolvers<void>()
  const member = startMember({
    kafka: { brokers, clientId: 'half-open', socketFactory: network.socketFactory },
    groupId,
    topic,
    assigner: createAssigner(topic, () => new Set()),
    sessionTimeoutMs: 6_000,
    onEvent({ type }) {
      events.push(type)
      // The third: it lives longer than a silence.
      if (events.filter((e) => e === 'heartbeat').length === 3) heard.resolve()
    },
    silenceMs: 2_500,
  })
  await heard.promise
  network.silence()
  const committed = member.commit(new Map([[0, '1']])).then(
    () => 'taken',
    () => 'not taken',
  )
  expect(String(await member.ended)).toContain('no broker has answered')
  expect(await committed).toBe('not taken')
  expect(events).toEqual(['joined', 'heartbeat', 'heartbeat', 'heartbeat'])
  expect(await member.leave()).toBe(true)
})
