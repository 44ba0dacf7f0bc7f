/**
 * The agent's voice on its way to the ear: runs beside the page, in the audio thread.
 *
 * µ-law, marks and clears flow in; sound flows out, and marks go back when what was before
 * them has really been played. Loudness is told ten times a second, for the meter.
 */

import { SAMPLE_RATE_HZ } from './mulaw.js';
import { Playback } from './playback.js';
import { Resampler } from './resample.js';

const LEVEL_EVERY = SAMPLE_RATE_HZ / 10;

class Player extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this._playback = new Playback(Math.round(processorOptions.latencyS * SAMPLE_RATE_HZ));
    this._resampler = new Resampler(SAMPLE_RATE_HZ, sampleRate);
    this._energy = 0;
    this._measured = 0;
    this._open = true;
    this.port.onmessage = ({ data }) => this._take(data);
  }

  process(_inputs, [output]) {
    const channel = output[0];
    for (let at = 0; at < channel.length; at += 1) {
      while (this._resampler.wants) this._resampler.push(this._next());
      channel[at] = this._resampler.take();
    }
    for (let more = 1; more < output.length; more += 1) output[more].set(channel);
    this._giveBack(this._playback.due());
    return this._open;
  }

  _take(asked) {
    if (asked.event === 'media') {
      if (!this._playback.media(asked.ulaw)) this.port.postMessage({ overflow: true });
    } else if (asked.event === 'mark') {
      this._playback.mark(asked.name);
      this._giveBack(this._playback.due());
    } else if (asked.event === 'clear') {
      this._giveBack(this._playback.clear());
    } else if (asked.event === 'latency') {
      this._playback.latency = Math.round(asked.latencyS * SAMPLE_RATE_HZ);
    } else if (asked.event === 'closed') {
      this._open = false;
    }
  }

  _next() {
    const sample = this._playback.take();
    this._energy += sample * sample;
    this._measured += 1;
    if (this._measured === LEVEL_EVERY) {
      this.port.postMessage({ level: Math.sqrt(this._energy / LEVEL_EVERY) });
      this._energy = 0;
      this._measured = 0;
    }
    return sample;
  }

  _giveBack(marks) {
    if (marks.length > 0) this.port.postMessage({ marks });
  }
}

registerProcessor('player', Player);
