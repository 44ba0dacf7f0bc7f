import assert from 'node:assert/strict';
import test from 'node:test';

import { sameSecret, signedHeaders, webhookKey } from '../src/signing.js';

// The vectors of README.md; the API's side is tested with the same.
const VECTORS = [
  ['correct-horse-battery', 'v1,NcA2uiTw58OTjWnj7teWDUfLVPsuNi6tN8MQpyUHpWI='],
  ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'v1,qObqaT8ae+L7ApT9haiUyL954tN4bu4sTnfiYqdvNz0='],
];

for (const [token, signature] of VECTORS) {
  test(`the signature with a token ${token.slice(0, 6)}…`, () => {
    assert.deepEqual(signedHeaders(webhookKey(token), 'evt_1', 1_700_000_000, '{"a":1}'), {
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1700000000',
      'webhook-signature': signature,
    });
  });
}

test('the vector of the standard itself', () => {
  // https://www.standardwebhooks.com: msg_p5jXN8AQM9LWM0D4loKWxJek at 1614265330.
  const key = webhookKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const { 'webhook-signature': signature } = signedHeaders(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}');
  assert.equal(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

test('a whsec_ that is no key is a token like others', () => {
  assert.equal(webhookKey('whsec_short').length, 32);
});

test('an id with a full stop is not signed', () => {
  assert.throws(() => signedHeaders(webhookKey('x'.repeat(16)), 'evt.1', 1, ''), RangeError);
});

test('secrets are compared whole', () => {
  assert.ok(sameSecret('abc', 'abc'));
  assert.ok(!sameSecret('abc', 'abcd'));
  assert.ok(!sameSecret('', 'abc'));
});
