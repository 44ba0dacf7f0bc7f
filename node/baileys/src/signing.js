/**
 * Signatures of events as Standard Webhooks 1.0.0 has them (symmetric: `v1`).
 *
 * A token, an id, a time and a body flow in; headers flow out. Pure.
 */

import { createHmac, timingSafeEqual, createHash } from 'node:crypto';

const PREFIX = 'whsec_';
const DERIVATION = 'voiceagent baileys webhook v1';

/**
 * The HMAC key of the shared token: the bytes of a `whsec_…`, else derived from it, so that
 * any token serves and the token itself is never used as a key. README.md has test vectors.
 * @param {string} token
 * @returns {Buffer}
 */
export function webhookKey(token) {
  if (token.startsWith(PREFIX)) {
    const text = token.slice(PREFIX.length);
    const key = Buffer.from(text, 'base64');
    if (key.length >= 24 && key.length <= 64 && key.toString('base64') === text) return key;
  }
  return createHmac('sha256', token).update(DERIVATION).digest();
}

/**
 * @param {Buffer} key
 * @param {string} id without a full stop, or two messages could have one signature
 * @param {number} timestampS Unix time of this try
 * @param {string} body
 * @returns {Record<string, string>}
 */
export function signedHeaders(key, id, timestampS, body) {
  if (id.includes('.')) throw new RangeError('the id of an event holds no full stop');
  const digest = createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': `v1,${digest}`,
  };
}

/** Whether two secrets are equal, in a time that does not tell where they differ.
 * @param {string} given @param {string} right */
export function sameSecret(given, right) {
  const hash = (/** @type {string} */ text) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(right));
}
