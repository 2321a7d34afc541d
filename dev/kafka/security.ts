// Two more doors of a test broker: one for users with a password (SASL over TLS), one for client
// certificates. With them comes the authorizer, which allows nothing that no ACL names. The plain door
// stays open for the brokers and the tests, whose user is a super user: so never for production. Pure;
// makes no certificates.

export interface SecurityOptions {
  // A PEM file: the brokers' private key (PKCS#8), certificate and chain. It needs the address 127.0.0.1.
  readonly keystore: string
  // A PEM file: the authority that signs client certificates.
  readonly clientCa: string
  // Each may log in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. SCRAM users are written when the data folder
  // is formatted, and are fixed by that.
  readonly users: Readonly<Record<string, string>>
  // Principals that no ACL binds, such as 'User:chief'.
  readonly superUsers: readonly string[]
}

export interface SecuredPorts {
  readonly passwordPort: number
  readonly certificatePort: number
}

const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

// All but the listeners themselves.
export function securityProperties(security: SecurityOptions): Record<string, string> {
  const { keystore, clientCa, users, superUsers } = security
  const passwords = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  const properties: Record<string, string> = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // The brokers know each other through the plain door, where nobody has a name.
    'super.users': ['User:ANONYMOUS', ...superUsers].join(';'),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'listener.name.password.sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    'listener.name.password.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${passwords.join(' ')};`,
    'listener.name.certificate.ssl.client.auth': 'required',
    'listener.name.certificate.ssl.truststore.type': 'PEM',
    'listener.name.certificate.ssl.truststore.location': clientCa,
  }
  for (const mechanism of SCRAM) {
    properties[`listener.name.password.${mechanism.toLowerCase()}.sasl.jaas.config`] =
      'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  }
  return properties
}

export function listenersOf({ passwordPort, certificatePort }: SecuredPorts): string[] {
  return [`PASSWORD://127.0.0.1:${passwordPort}`, `CERTIFICATE://127.0.0.1:${certificatePort}`]
}

export const SECURED_PROTOCOLS = ['PASSWORD:SASL_SSL', 'CERTIFICATE:SSL']

// Arguments of `format` that make the users: https://kafka.apache.org/documentation/#security_sasl_scram
export function scramArguments({ users }: SecurityOptions): string[] {
  return SCRAM.flatMap((mechanism) =>
    Object.entries(users).flatMap(([name, password]) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  )
}
