// A datahub's task as an admin sees it, its changes, and waiting for them. The API tells of no change by itself, so it is asked.
import { vi } from 'vitest'
import type { DevJson } from '../../dev/dev-json.ts'

export interface DatahubBody {
  taskId: string
  topic: string
  status: number
}

type Access = Pick<DevJson, 'api' | 'adminToken' | 'datahubId'>

// A pause, a resume and a delete are complete after 15 s; the rest is for a busy machine.
const WITHIN_MS = 120_000

// undefined: there is none, or none any more.
export async function getDatahub(access: Access): Promise<DatahubBody | undefined> {
  const response = await call(access, 'GET')
  if (response.status === 404) return undefined
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as DatahubBody
}

export async function patchDatahub(access: Access, changes: object): Promise<void> {
  const response = await call(access, 'PATCH', changes)
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
}

export async function untilDatahub(
  access: Access,
  isSo: (datahub: DatahubBody | undefined) => boolean,
): Promise<void> {
  await vi.waitUntil(async () => isSo(await getDatahub(access)), { timeout: WITHIN_MS })
}

function call({ api, adminToken, datahubId }: Access, method: string, body?: object) {
  return fetch(`${api}/v1/datahubs/${datahubId}`, {
    method,
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}
