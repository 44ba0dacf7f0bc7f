import assert from 'node:assert/strict';
import test from 'node:test';

import { lineOf, summaryOf } from '../../../../src/voiceagent/web/console/static/phone/turns.js';

const turn = (changes) => ({
  seq: 0, turn: 0, who: 'agent', text: 'Good morning. Who is there?', heard: '', status: 'speaking', source: 'reply', timings: {}, ...changes,
});
const TIMINGS = { speech_ended_at_ms: 1000, eou_at_ms: 1320, first_sentence_at_ms: 1700, first_audio_at_ms: 1790, first_frame_at_ms: 1800, response_ms: 800 };

test('what is being said is shown at once', () => {
  const line = lineOf(turn({}));
  assert.equal(line.said, 'Good morning. Who is there?');
  assert.equal(line.unheard, '');
});

test('of what was cut off, the heard is apart from the unheard', () => {
  const line = lineOf(turn({ status: 'interrupted', heard: 'Good morning.' }));
  assert.equal(line.said, 'Good morning.');
  assert.equal(line.unheard, ' Who is there?');
});

test('nothing was heard of an answer that was given up', () => {
  const line = lineOf(turn({ status: 'abandoned' }));
  assert.equal(line.said, '');
  assert.equal(line.unheard, 'Good morning. Who is there?');
});

test('what was heard in other words is not cut to pieces', () => {
  const line = lineOf(turn({ status: 'interrupted', heard: 'good morning' }));
  assert.equal(line.said, 'Good morning. Who is there?');
  assert.equal(line.unheard, '');
});

test("an answer's way adds up to its response", () => {
  const line = lineOf(turn({ timings: TIMINGS }));
  assert.deepEqual(line.way, [{ name: 'wait', ms: 320 }, { name: 'think', ms: 380 }, { name: 'voice', ms: 90 }, { name: 'send', ms: 10 }]);
  assert.equal(line.responseMs, 800);
});

test('what was done while the caller still spoke, or is not known, took no time', () => {
  const early = { ...TIMINGS, first_sentence_at_ms: 900, first_audio_at_ms: 1100 };
  assert.deepEqual(lineOf(turn({ timings: early })).way.map(({ ms }) => ms), [320, 0, 0, 480]);
  const { first_sentence_at_ms: _gone, ...untold } = TIMINGS;
  assert.deepEqual(lineOf(turn({ timings: untold })).way.map(({ ms }) => ms), [320, 0, 470, 10]);
});

test('a greeting answers nobody', () => {
  const line = lineOf(turn({ source: 'opening', timings: { first_audio_at_ms: 3, first_frame_at_ms: 4 } }));
  assert.deepEqual(line.way, []);
  assert.equal(line.responseMs, null);
});

test("the caller's words and keys", () => {
  const line = lineOf(turn({ who: 'caller', text: '12', heard: '12', status: 'complete', source: 'dtmf', timings: { eou_ms: 300 } }));
  assert.equal(line.said, '12');
  assert.equal(line.waitedMs, 300);
  assert.ok(line.keyed);
  assert.deepEqual(line.way, []);
});

test('the middle and the longest of the answers', () => {
  const lines = [500, 300, 900, 400].map((response_ms) => lineOf(turn({ timings: { response_ms } })));
  assert.deepEqual(summaryOf(lines), { count: 4, medianMs: 450, longestMs: 900 });
  assert.deepEqual(summaryOf(lines.slice(0, 3)), { count: 3, medianMs: 500, longestMs: 900 });
  assert.equal(summaryOf([lineOf(turn({}))]), null);
});
