// Certificates for one test run, made with the openssl command: an authority, and what it signs. Nothing of
// it is kept in the repository, so nothing of it expires there.
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const NEW_KEY = ['-newkey', 'rsa:2048', '-nodes']

export interface Signed {
  // PEM.
  readonly key: string
  readonly cert: string
}

export interface Authority {
  // PEM of its own certificate, and where that lies.
  readonly cert: string
  readonly certFile: string
  // `names` as in OpenSSL's subjectAltName; none for a client.
  sign(commonName: string, names?: string): Promise<Signed>
}

export async function createAuthority(dir: string, commonName: string): Promise<Authority> {
  await mkdir(dir, { recursive: true })
  const path = (name: string) => join(dir, name)
  const ca = { key: path('ca.key'), cert: path('ca.pem') }
  await openssl(
    ...['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', `/CN=${commonName}`],
    ...['-keyout', ca.key, '-out', ca.cert],
  )
  return {
    cert: await readFile(ca.cert, 'utf8'),
    certFile: ca.cert,
    async sign(name, names) {
      const [key, request, extensions] = ['key', 'csr', 'ext'].map((end) => path(`${name}.${end}`))
      if (!key || !request || !extensions) throw new Error('unreachable')
      await writeFile(extensions, names ? `subjectAltName=${names}\n` : '')
      await openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', key, '-out', request)
      const cert = await openssl(
        ...['x509', '-req', '-in', request, '-days', '2', '-extfile', extensions],
        ...['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial'],
      )
      return { key: await readFile(key, 'utf8'), cert }
    },
  }
}

async function openssl(...args: string[]): Promise<string> {
  try {
    return (await run('openssl', args)).stdout
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing) throw error
    throw new Error(
      'openssl was not found; the tests make their certificates with it. Install OpenSSL (Debian, Ubuntu: apt install openssl).',
      { cause: error },
    )
  }
}
