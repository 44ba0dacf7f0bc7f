import assert from 'node:assert/strict';
import test from 'node:test';

import { heardAt, momentOf, placeOf, secondsAt } from '../../../../src/voiceagent/web/console/static/call/track.js';

const TURNS = [
  { seq: 0, from: 100, until: 3000 },
  { seq: 1, from: 4000, until: 6000 },
  { seq: 2, from: 5500, until: 9000 },
  { seq: 3, from: 12_000, until: 12_000 },
];

test('the turn that is heard is the one whose time it is', () => {
  assert.deepEqual(heardAt(TURNS, 2000), [0]);
  assert.deepEqual(heardAt(TURNS, 8000), [2]);
});

test('both may speak at once', () => {
  assert.deepEqual(heardAt(TURNS, 5700), [1, 2]);
});

test('in silence it is whoever spoke last, and nobody before the first word', () => {
  assert.deepEqual(heardAt(TURNS, 3500), [0]);
  assert.deepEqual(heardAt(TURNS, 50), []);
  assert.deepEqual(heardAt([], 50), []);
});

test('a turn whose end nobody knows is shown all the same', () => {
  assert.deepEqual(heardAt(TURNS, 12_100), [3]);
});

test('a recording that began later than the call is so much behind it', () => {
  assert.equal(momentOf(3, 1.5), 4500);
  assert.equal(secondsAt(0, 0.45, 10_000, 1.5), 3);
  assert.equal(secondsAt(0, 0.05, 10_000, 1.5), 0);
});

test('a moment has its place in one strip, and comes back from it', () => {
  assert.deepEqual(placeOf(12_500, 10_000, 3), { strip: 1, part: 0.25 });
  assert.equal(placeOf(30_000, 10_000, 3), null);
  assert.equal(placeOf(-1, 10_000, 3), null);
  for (let ms = 0; ms < 30_000; ms += 777) {
    const { strip, part } = placeOf(ms, 10_000, 3);
    assert.ok(Math.abs(secondsAt(strip, part, 10_000, 0) * 1000 - ms) < 1e-6);
  }
});
