/**
 * Says where to look when the brokers can't be reached or refuse the relay's user. OpenSSL and kafkajs name what happened in their own
 * words, and some of kafkajs's name nothing; an operator needs the setting or the right. Errors of any other kind pass unchanged. For
 * people only: nothing decides by these texts.
 */

const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
])

export const MISSING_RIGHT = "the relay's user lacks a right, see the ACLs in docs/operations.md"

/** The same error, or one that tells its message with a hint and has it as its cause. */
export function explain(error: unknown): unknown {
  const hint = hintFor(error)
  if (hint === undefined || !(error instanceof Error)) return error
  const explained = new Error(`${error.message.trim()}; ${hint}`, { cause: error })
  // Whoever decides by Kafka's code finds it where it was.
  return 'code' in error ? Object.assign(explained, { code: error.code }) : explained
}

function hintFor(error: unknown): string | undefined {
  // kafkajs wraps what it has tried several times, and keeps the last failure as the cause.
  for (let at = error; at instanceof Error; at = at.cause) {
    const hint = hintForOne(at)
    if (hint !== undefined) return hint
  }
  return undefined
}

function hintForOne(error: Error): string | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (UNTRUSTED.has(code)) {
    return "KAFKA_TLS_CA or KAFKA_TLS_CA_FILE must hold the authority that signed the brokers' certificates"
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'see KAFKA_BROKERS, advertised.listeners of the brokers, and KAFKA_TLS_SERVERNAME'
  }
  // The broker's words about the relay's certificate; an absent one is "bad" before TLS 1.3 and to Java.
  if (/_ALERT_.*CERTIFICATE|_ALERT_UNKNOWN_CA/.test(code)) {
    return 'the broker wants a client certificate, or refuses this one: see KAFKA_TLS_CERT and KAFKA_TLS_KEY'
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /before secure TLS/.test(error.message)) {
    return 'the broker does not seem to speak TLS at this port: see KAFKA_TLS and KAFKA_BROKERS'
  }
  if (error.name === 'KafkaJSConnectionClosedError') {
    return 'a broker that expects TLS or a log-in does this: see KAFKA_TLS and KAFKA_SASL_MECHANISM'
  }
  if (error.name === 'KafkaJSGroupCoordinatorNotFound') {
    return `no coordinator is up, or ${MISSING_RIGHT}`
  }
  // Several topics, several errors, none of which the message names.
  if ('errors' in error && Array.isArray(error.errors)) {
    return error.errors
      .map((of: Error & { topic?: string }) => `${of.topic}: ${of.message}`)
      .join('; ')
  }
  if ('type' in error && String(error.type).endsWith('_AUTHORIZATION_FAILED')) return MISSING_RIGHT
  return undefined
}
