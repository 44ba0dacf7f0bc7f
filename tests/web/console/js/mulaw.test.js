import assert from 'node:assert/strict';
import test from 'node:test';

import { SILENCE, decode, encode, fromPcm16, toPcm16 } from '../../../../src/voiceagent/web/console/static/phone/mulaw.js';

test('silence is 0xff both ways', () => {
  assert.equal(encode(0), SILENCE);
  assert.equal(decode(SILENCE), 0);
});

test('each code but the second zero comes back as itself', () => {
  for (let code = 0; code < 256; code += 1) {
    assert.equal(fromPcm16(toPcm16(code)), code === 0x7f ? SILENCE : code);
  }
});

test('what is too loud is clipped, not turned over', () => {
  assert.equal(encode(3), encode(1));
  assert.equal(encode(-3), encode(-1));
  assert.equal(toPcm16(encode(3)), 32124);
  assert.equal(toPcm16(encode(-3)), -32124);
});

test('a sample comes back within the step of its loudness', () => {
  for (let at = -1000; at <= 1000; at += 1) {
    const sample = at / 1001;
    assert.ok(Math.abs(decode(encode(sample)) - sample) < 0.0005 + Math.abs(sample) / 28, `${sample}`);
  }
});
