import assert from 'node:assert/strict';
import test from 'node:test';

import { afterClosing, nothingPast, remembered } from '../src/session.js';
import { CONNECT_WITHIN_MS, DEAF_AFTER_MS, fault } from '../src/watchdog.js';

const paired = { ...nothingPast(), paired: true };
const after = (code, past = paired, random = 0.5) => afterClosing({ code, transport: false }, past, random);

// Each row: closing code, state, wait in ms at random 0 and 1, whether credentials are put aside.
const ROWS = [
  [515, 'waiting', 0, 0, false],
  [408, 'waiting', 500, 1000, false],
  [428, 'waiting', 500, 1000, false],
  [503, 'waiting', 500, 1000, false],
  [null, 'waiting', 500, 1000, false],
  [500, 'waiting', 500, 1000, false],
  [440, 'waiting', 30_000, 45_000, false],
  [401, 'logged_out', 0, 0, true],
  [402, 'stopped', null, null, false],
  [403, 'stopped', null, null, false],
  [406, 'stopped', null, null, false],
  [411, 'stopped', null, null, false],
  [405, 'stopped', null, null, false],
  [418, 'waiting', 500, 1000, false],
];

for (const [code, state, least, most, archive] of ROWS) {
  test(`closing code ${code}: ${state}`, () => {
    const [low, high] = [after(code, paired, 0), after(code, paired, 1)];
    assert.equal(low.state, state);
    assert.equal(low.retryInMs, least);
    assert.equal(high.retryInMs, most);
    assert.equal(low.archive, archive);
    if (state === 'stopped' || state === 'logged_out') assert.ok(low.advice);
  });
}

test('waits double up to a minute and never end', () => {
  let past = paired;
  const waits = [];
  for (let n = 0; n < 200; n += 1) {
    const step = after(503, past, 1);
    assert.equal(step.state, 'waiting');
    waits.push(step.retryInMs);
    past = remembered({ code: 503, transport: false }, past);
  }
  assert.deepEqual(waits.slice(0, 8), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  assert.equal(Math.max(...waits), 60_000);
});

test('500 again and again fails, and never wipes', () => {
  let past = paired;
  const states = [];
  for (let n = 0; n < 8; n += 1) {
    const step = after(500, past);
    assert.equal(step.archive, false);
    states.push(step.state);
    past = remembered({ code: 500, transport: false }, past);
  }
  assert.deepEqual(states, ['waiting', 'waiting', 'waiting', 'waiting', 'waiting', 'waiting', 'failed', 'failed']);
});

test('replaced twice stops', () => {
  const past = remembered({ code: 440, transport: false }, paired);
  assert.equal(after(440, past).state, 'stopped');
});

test('a storm of restarts is slowed down', () => {
  let past = paired;
  for (let n = 0; n < 5; n += 1) past = remembered({ code: 515, transport: false }, past);
  assert.ok(after(515, past).retryInMs > 0);
});

test('a 401 of a proxy is no logout', () => {
  for (const code of [401, 403, 405, 500]) {
    const step = afterClosing({ code, transport: true }, paired, 0.5);
    assert.equal(step.state, 'waiting');
    assert.equal(step.archive, false);
  }
});

test('a refused pairing does not put credentials aside in a loop', () => {
  assert.equal(after(401, nothingPast()).archive, false);
  assert.ok(after(401, nothingPast()).retryInMs > 0);
});

test('QR codes that nobody scans end', () => {
  let past = nothingPast();
  for (let n = 0; n < 5; n += 1) {
    assert.equal(after(408, past).state, 'waiting');
    past = remembered({ code: 408, transport: false }, past);
  }
  assert.equal(after(408, past).state, 'stopped');
});

test('the watchdog finds a deaf and a stuck socket, and no other', () => {
  const seen = { state: 'open', sinceMs: 0, lastFrameMs: 1000, nowMs: 1000 + DEAF_AFTER_MS };
  assert.equal(fault(seen), null);
  assert.equal(fault({ ...seen, nowMs: seen.nowMs + 1 }), 'deaf');
  assert.equal(fault({ ...seen, lastFrameMs: null, nowMs: DEAF_AFTER_MS + 1 }), 'deaf');
  assert.equal(fault({ ...seen, state: 'connecting', nowMs: CONNECT_WITHIN_MS + 1 }), 'stuck');
  for (const state of ['pairing', 'waiting', 'stopped', 'paused']) assert.equal(fault({ ...seen, state, nowMs: 1e9 }), null);
});

test('a deaf socket is closed by the supervisor', async () => {
  const { Supervisor } = await import('../src/supervisor.js');
  const { Metrics } = await import('../src/metrics.js');
  const log = { debug() {}, info() {}, warning() {}, error() {} };
  let [now, closed] = [0, 0];
  const supervisor = new Supervisor({ config: {}, store: {}, credentials: {}, log, metrics: new Metrics(), now: () => now });
  supervisor.socket = { close: () => (closed += 1) };
  supervisor.set('open', null);
  supervisor.lastFrameMs = 0;
  now = DEAF_AFTER_MS;
  supervisor.look();
  assert.equal(closed, 0);
  now += 1;
  supervisor.look();
  assert.equal(closed, 1);
});
