/** DescribeInstances: this deployment's cluster, the only one there is. Answered from the settings; nobody is asked. */
import * as z from 'zod/mini'
import { defineAction, result, whole } from '../action.ts'
import { Unfit } from './query-action.ts'

const RUNNING = 1

export const describeInstances = defineAction(
  {
    scope: 'query',
    perSecond: 20,
    parameters: z.strictObject({
      InstanceId: z.optional(z.string()),
      SearchWord: z._default(z.string(), ''),
      Status: z._default(z.array(z.int()), []),
      Offset: z._default(whole(0, Number.MAX_SAFE_INTEGER), 0),
      Limit: z._default(whole(1, 100), 10),
      TagKey: Unfit,
      VpcId: Unfit,
    }),
  },
  async ({ InstanceId, SearchWord, Status, Offset }, _, { instance }) => {
    const fits =
      (InstanceId ?? instance) === instance &&
      instance.includes(SearchWord) &&
      (Status.length === 0 || Status.includes(RUNNING))
    const own = {
      InstanceId: instance,
      InstanceName: instance,
      Status: RUNNING,
      IfCommunity: true,
    }
    return result({ TotalCount: Number(fits), InstanceList: fits && Offset === 0 ? [own] : [] })
  },
)
