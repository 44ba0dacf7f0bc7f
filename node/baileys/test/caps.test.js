import assert from 'node:assert/strict';
import test from 'node:test';

import { BUCKET_MS, decide, noHistory, pauseNewChats } from '../src/caps.js';

const LIMITS = { hourly: 3, daily: 5, newChatsDaily: 2, paceMs: [0, 0] };
const HOUR = 3_600_000;

/** Sends at these times; the decisions. */
function run(limits, times, newChat = false, history = noHistory()) {
  return times.map((now) => {
    const decision = decide(history, limits, { now, newChat, random: 0.5 });
    if (decision.allowed) history = decision.history;
    return decision;
  });
}

test('so many an hour, and again when the hour is over', () => {
  const start = 1000 * HOUR;
  const decisions = run(LIMITS, [start, start + 1, start + 2, start + 3, start + HOUR + BUCKET_MS]);
  assert.deepEqual(decisions.map(({ allowed }) => allowed), [true, true, true, false, true]);
  assert.equal(decisions[3].code, 'hourly_cap');
  assert.ok(decisions[3].retryAfterS <= 3600 + 300 && decisions[3].retryAfterS > 3500);
});

test('waiting as long as told is enough', () => {
  const start = 1000 * HOUR + 123_456;
  const history = run(LIMITS, [start, start, start]).at(-1).history;
  const refused = decide(history, LIMITS, { now: start, newChat: false, random: 0 });
  const later = decide(history, LIMITS, { now: start + refused.retryAfterS * 1000, newChat: false, random: 0 });
  assert.ok(later.allowed);
});

test('so many a day', () => {
  const times = [0, 1, 2, 3, 4, 5].map((n) => 1000 * HOUR + n * 2 * HOUR);
  const codes = run(LIMITS, times).map((decision) => decision.code ?? 'sent');
  assert.deepEqual(codes, ['sent', 'sent', 'sent', 'sent', 'sent', 'daily_cap']);
});

test('few new chats a day; answers go on', () => {
  const start = 1000 * HOUR;
  const [first, second, third] = run(LIMITS, [start, start, start], true);
  assert.ok(first.allowed && second.allowed);
  assert.equal(third.code, 'new_chats_cap');
  assert.ok(decide(second.history, LIMITS, { now: start, newChat: false, random: 0 }).allowed);
});

test('only answers', () => {
  const limits = { ...LIMITS, newChatsDaily: -1 };
  assert.equal(run(limits, [1000 * HOUR], true)[0].code, 'new_chats_cap');
  assert.ok(run(limits, [1000 * HOUR])[0].allowed);
});

test('after a 463 no new chats until it ends; answers go on', () => {
  const start = 1000 * HOUR;
  const history = pauseNewChats(noHistory(), start + HOUR);
  assert.deepEqual(decide(history, LIMITS, { now: start, newChat: true, random: 0 }), {
    allowed: false,
    code: 'new_chats_paused',
    retryAfterS: 3600,
  });
  assert.ok(decide(history, LIMITS, { now: start, newChat: false, random: 0 }).allowed);
  assert.ok(decide(history, LIMITS, { now: start + HOUR, newChat: true, random: 0 }).allowed);
  assert.equal(pauseNewChats(history, start).newChatsPausedUntil, start + HOUR);
});

test('gaps are drawn from the range; after a pause a message leaves at once', () => {
  const limits = { hourly: 0, daily: 0, newChatsDaily: 0, paceMs: [400, 1400] };
  const start = 1000 * HOUR;
  const decisions = run(limits, [start, start, start, start + 60_000]);
  assert.deepEqual(decisions.map(({ at }) => at - start), [0, 900, 1800, 60_000]);
});

test('no limits is no limit, and the history stays small', () => {
  const limits = { hourly: 0, daily: 0, newChatsDaily: 0, paceMs: [0, 0] };
  const times = Array.from({ length: 5000 }, (_, n) => 1000 * HOUR + n * 60_000);
  const decisions = run(limits, times, true);
  assert.ok(decisions.every(({ allowed }) => allowed));
  assert.ok(decisions.at(-1).history.buckets.length <= 289);
});
