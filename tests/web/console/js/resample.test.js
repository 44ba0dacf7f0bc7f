import assert from 'node:assert/strict';
import test from 'node:test';

import { Resampler } from '../../../../src/voiceagent/web/console/static/phone/resample.js';

const RATES = [[48000, 8000], [44100, 8000], [16000, 8000], [8000, 8000], [8000, 48000], [8000, 44100]];

/** All that comes of these samples. */
function run(resampler, samples) {
  const out = [];
  for (const sample of samples) {
    resampler.push(sample);
    while (!resampler.wants) out.push(resampler.take());
  }
  return out;
}

const tone = (hertz, rate, count) =>
  Array.from({ length: count }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rate));

const rms = (samples) => Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);

for (const [from, to] of RATES) {
  test(`${from} to ${to} Hz: as long as before, but for the filter's delay`, () => {
    const out = run(new Resampler(from, to), new Array(from).fill(0));
    assert.ok(out.length <= to && out.length > to - to / 100, `${out.length}`);
  });

  test(`${from} to ${to} Hz: a constant stays what it is`, () => {
    const out = run(new Resampler(from, to), new Array(from / 10).fill(0.5));
    for (const sample of out.slice(out.length / 2)) assert.ok(Math.abs(sample - 0.5) < 1e-5);
  });

  test(`${from} to ${to} Hz: a voice keeps its loudness and its pitch`, () => {
    for (const hertz of [300, 1000, 3000]) {
      const out = run(new Resampler(from, to), tone(hertz, from, from / 2));
      const wanted = tone(hertz, to, out.length);
      const late = Math.round(out.length / 4);
      const error = out.map((sample, at) => sample - wanted[at]).slice(late);
      assert.ok(rms(error) < 0.01, `${hertz} Hz: ${rms(error)}`);
    }
  });
}

test('what eight kilohertz cannot carry is not heard as another tone', () => {
  for (const hertz of [4300, 5000, 9000, 15000]) {
    const out = run(new Resampler(48000, 8000), tone(hertz, 48000, 24000));
    assert.ok(rms(out.slice(400)) < 0.003, `${hertz} Hz: ${rms(out.slice(400))}`);
  }
});

test('nor does the agent gain a whistle on the way up', () => {
  const out = run(new Resampler(8000, 48000), tone(1000, 8000, 4000)).slice(4800);
  // One whole second's worth of periods: a tone at 7000 Hz, the image of 1000, would correlate.
  const count = Math.floor(out.length / 48) * 48;
  let real = 0;
  let imaginary = 0;
  for (let at = 0; at < count; at += 1) {
    real += out[at] * Math.cos((2 * Math.PI * 7000 * at) / 48000);
    imaginary += out[at] * Math.sin((2 * Math.PI * 7000 * at) / 48000);
  }
  assert.ok((2 * Math.hypot(real, imaginary)) / count < 0.001);
});

test('in pieces it is the same as at once', () => {
  const samples = tone(440, 44100, 5000);
  const whole = run(new Resampler(44100, 8000), samples);
  const resampler = new Resampler(44100, 8000);
  const pieces = [0, 128, 129, 1000, 5000].flatMap((at, index, all) => run(resampler, samples.slice(all[index - 1] ?? 0, at)));
  assert.deepEqual(pieces, whole);
});
