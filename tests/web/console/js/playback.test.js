import assert from 'node:assert/strict';
import test from 'node:test';

import { encode } from '../../../../src/voiceagent/web/console/static/phone/mulaw.js';
import { MAX_BUFFERED, Playback } from '../../../../src/voiceagent/web/console/static/phone/playback.js';

const loud = (count) => new Uint8Array(count).fill(encode(0.5));

/** The samples of so much time, and the marks that came back in it with their sample. */
function listen(playback, count) {
  const samples = [];
  const marks = [];
  for (let at = 0; at < count; at += 1) {
    samples.push(playback.take());
    for (const name of playback.due()) marks.push([name, playback.clock]);
  }
  return { samples, marks };
}

test('audio is played once and in order, then there is silence', () => {
  const playback = new Playback(0);
  playback.media(loud(3));
  playback.media(Uint8Array.of(encode(-0.5)));
  const { samples } = listen(playback, 6);
  assert.deepEqual(samples.map(Math.sign), [1, 1, 1, -1, 0, 0]);
  assert.equal(playback.buffered, 0);
});

test('a mark comes back when the audio before it has been heard, and once', () => {
  const playback = new Playback(0);
  playback.media(loud(160));
  playback.mark('first');
  playback.media(loud(160));
  playback.mark('second');
  assert.deepEqual(playback.due(), []);
  assert.deepEqual(listen(playback, 1000).marks, [['first', 160], ['second', 320]]);
});

test('being heard takes as long as the sound card takes', () => {
  const playback = new Playback(80);
  playback.media(loud(160));
  playback.mark('end');
  assert.deepEqual(listen(playback, 1000).marks, [['end', 240]]);
});

test('a mark without audio before it comes back at once', () => {
  const playback = new Playback(80);
  listen(playback, 500);
  playback.mark('nothing');
  assert.deepEqual(playback.due(), ['nothing']);
});

test('but not before what is still on its way to the ear', () => {
  const playback = new Playback(80);
  playback.media(loud(160));
  listen(playback, 200);
  playback.mark('end');
  assert.deepEqual(listen(playback, 1000).marks, [['end', 240]]);
});

test('a clear throws away what waits and gives every mark back', () => {
  const playback = new Playback(0);
  playback.media(loud(160));
  playback.mark('first');
  playback.media(loud(160));
  playback.mark('second');
  listen(playback, 200);
  assert.deepEqual(playback.clear(), ['second']);
  assert.deepEqual(listen(playback, 1000).samples.filter(Boolean), []);
  playback.media(loud(10));
  playback.mark('third');
  assert.deepEqual(listen(playback, 1000).marks, [['third', 1210]]);
});

test('after a dry-out it goes on from now, not from then', () => {
  const playback = new Playback(0);
  playback.media(loud(10));
  listen(playback, 100);
  playback.media(loud(10));
  playback.mark('end');
  assert.deepEqual(listen(playback, 100).marks, [['end', 110]]);
});

test('the ring keeps what it holds when it grows and goes round', () => {
  const playback = new Playback(0);
  const expected = [];
  const heard = [];
  let code = 0;
  for (let turn = 0; turn < 60; turn += 1) {
    const piece = Uint8Array.from({ length: 700 + turn * 17 }, () => (code = (code * 31 + 7) % 127));
    expected.push(...piece);
    playback.media(piece);
    for (let at = 0; at < 500; at += 1) heard.push(playback.take());
  }
  while (playback.buffered > 0) heard.push(playback.take());
  const reference = new Playback(0);
  reference.media(Uint8Array.from(expected));
  assert.deepEqual(heard, expected.map(() => reference.take()));
});

test('more than ten minutes are too much', () => {
  const playback = new Playback(0);
  assert.ok(playback.media(new Uint8Array(MAX_BUFFERED)));
  assert.ok(!playback.media(loud(1)));
  playback.take();
  assert.ok(playback.media(loud(1)));
});
