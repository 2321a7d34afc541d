// Edgehub's HTTP surface as a plain client calls it.
import type { DevJson } from '../../dev/dev-json.ts'

export interface ReportInput {
  key?: string
  value?: string
  json?: unknown
  base64?: string
  headers?: Record<string, string>
}

export interface ReceiptBody {
  receipt: string
  count: number
  status: 'queued' | 'delivered' | 'partial' | 'failed' | 'expired'
  messages?: {
    status: string
    messageId?: string
    partition?: number
    offset?: string
    reason?: string
  }[]
}

const basic = (dev: DevJson) =>
  `Basic ${Buffer.from(`${dev.secretId}:${dev.secretKey}`).toString('base64')}`

export function postReports(
  dev: DevJson,
  reports: readonly ReportInput[],
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${dev.api}/v1/datahubs/${dev.datahubId}/reports`, {
    method: 'POST',
    headers: { authorization: basic(dev), 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ reports }),
  })
}

export async function accept(dev: DevJson, reports: readonly ReportInput[]): Promise<ReceiptBody> {
  const response = await postReports(dev, reports)
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as ReceiptBody
}

export async function getReceipt(
  dev: DevJson,
  receipt: string,
  waitSeconds = 0,
): Promise<ReceiptBody> {
  const response = await fetch(`${dev.api}/v1/receipts/${receipt}?wait=${waitSeconds}`)
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
  return (await response.json()) as ReceiptBody
}

// Long-polls until the receipt is final; the test's own time limit bounds it.
export async function finalReceipt(dev: DevJson, receipt: string): Promise<ReceiptBody> {
  for (;;) {
    const body = await getReceipt(dev, receipt, 25)
    if (body.status !== 'queued') return body
  }
}

// The pull simulator's test switches.
export async function queueSwitch<T>(
  dev: DevJson,
  queue: number,
  name: string,
  body?: unknown,
): Promise<T> {
  const response = await fetch(`${dev.queueApi}/__queue-pull/${dev.queues[queue]?.id}/${name}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${dev.queueToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const json = (await response.json()) as { success: boolean; result: T }
  if (!json.success) throw new Error(JSON.stringify(json))
  return json.result
}

// What an operator can do: nothing is delivered from any of the shards' queues, until it is again. Messages are still taken.
export async function pauseQueues(dev: DevJson, paused: boolean): Promise<void> {
  for (const { id } of dev.queues) {
    const response = await fetch(
      `${dev.queueApi}/client/v4/accounts/${dev.accountId}/queues/${id}`,
      {
        method: 'PATCH',
        headers: { authorization: `Bearer ${dev.queueToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ settings: { delivery_paused: paused } }),
      },
    )
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  }
}

interface QueueLog {
  messages: { envelopeId: string | null; body?: string; bytes: number }[]
  next: number | null
}

// All that the queues were ever given.
export async function queueLog(dev: DevJson): Promise<QueueLog['messages']> {
  const all: QueueLog['messages'] = []
  for (const queue of dev.queues.keys()) {
    for (let after: number | null = 0; after !== null;) {
      const page: QueueLog = await queueSwitch<QueueLog>(
        dev,
        queue,
        `log?limit=10000&bodies=1&after=${after}`,
      )
      all.push(...page.messages)
      after = page.next
    }
  }
  return all
}

// A counter or gauge of a relay now, summed over all labels but those given; 0 when it has none of them. `ops`: its own address.
export async function relayMetric(
  ops: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const text = await (await fetch(new URL('/metrics', ops))).text()
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  return text
    .split('\n')
    .filter((line) => /^edgehub_relay_(\w+)/.exec(line)?.[1] === name)
    .filter((line) => wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}
