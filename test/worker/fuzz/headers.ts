/** Headers that come with no good request: added, set, taken away. The values are those that HTTP can carry at all. */
import * as fc from 'fast-check'

export type HeaderChange =
  | { how: 'set' | 'append'; name: string; value: string }
  | { how: 'delete'; name: string }

const NAMES = [
  ...[
    'authorization',
    'content-type',
    'content-length',
    'content-encoding',
    'host',
    'accept',
    'accept-language',
  ],
  ...[
    'x-tc-action',
    'x-tc-version',
    'x-tc-timestamp',
    'x-tc-region',
    'x-tc-token',
    'x-tc-language',
    'x-tc-traceid',
  ],
  ...[
    'x-tc-requestclient',
    'x-tc-content-sha256',
    'x-forwarded-host',
    'cf-connecting-ip',
    'traceparent',
    'upgrade',
  ],
  ...[
    'idempotency-key',
    'prefer',
    'if-match',
    'if-none-match',
    'range',
    'expect',
    'origin',
    'cookie',
    'connection',
  ],
]

const VALUES = [
  ...[
    '',
    ',',
    '*',
    '"',
    'null',
    '-1',
    '0',
    '1e3',
    '0x10',
    '99999999999999999999',
    'a'.repeat(9_000),
  ],
  ...[
    'SKIP',
    'Basic',
    'Basic %%%',
    'Basic OjpB',
    'Bearer',
    'Bearer x',
    'TC3-HMAC-SHA256',
    'TC3-HMAC-SHA256 Credential=a',
  ],
  ...['TC3-HMAC-SHA256 Credential=a/2024-01-09/b/tc3_request, SignedHeaders=host;;, Signature=0'],
  ...[
    'application/json',
    'application/json; charset=utf-16',
    'APPLICATION/JSON',
    'application/x-www-form-urlencoded',
  ],
  ...[
    'multipart/form-data; boundary=x',
    'multipart/form-data',
    'application/octet-stream',
    'text/html',
    'text/html;q=x, */*;q=2',
  ],
  ...[
    'UNSIGNED-PAYLOAD',
    'gzip',
    '2019-08-19',
    '2017-03-12',
    'SendMessage',
    'sendMessage',
    '__proto__',
    'constructor',
  ],
  ...[
    '127.0.0.1:18180',
    '[::1]:1',
    'a:b:c',
    '::1',
    '1.2.3.4',
    'zz::zz::',
    'wait=25',
    'wait=-1',
    'wait="3"',
    'respond-async, wait=0',
  ],
  ...[
    '"1"',
    'W/"1"',
    '"1-a", "2"',
    '"1',
    '"0"',
    '"999999999999999"',
    '1',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'websocket',
  ],
]

const name = fc.constantFrom(...NAMES)
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...VALUES) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 30 }) },
)

/** Few, because workerd writes a warning for each. */
const notAscii = fc.constantFrom<HeaderChange>(
  { how: 'set', name: 'authorization', value: 'Basic \xff\xfe' },
  { how: 'set', name: 'content-type', value: '\xe4\xb8' },
  { how: 'set', name: 'x-tc-action', value: '\xff' },
  { how: 'set', name: 'x-tc-traceid', value: '\xe4\xb8\xad' },
)

export const headerChanges: fc.Arbitrary<HeaderChange[]> = fc.oneof(
  { weight: 500, arbitrary: fc.constant<HeaderChange[]>([]) },
  { weight: 1, arbitrary: fc.tuple(notAscii) },
  {
    weight: 400,
    arbitrary: fc.array(
      fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record({
            how: fc.constantFrom('set' as const, 'append' as const),
            name,
            value,
          }),
        },
        { weight: 1, arbitrary: fc.record({ how: fc.constant('delete' as const), name }) },
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
)

export function applyHeaders(headers: Headers, list: readonly HeaderChange[]): void {
  for (const change of list) {
    if (change.how === 'delete') headers.delete(change.name)
    else if (change.how === 'set') headers.set(change.name, change.value)
    else headers.append(change.name, change.value)
  }
}
