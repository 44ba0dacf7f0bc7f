/**
 * The caller's voice on its way out: runs beside the page, in the audio thread.
 *
 * Samples of the microphone flow in; every 20 ms a frame of µ-law flows out with its loudness.
 * A muted phone, and one whose microphone has gone, sends silence: the line is never still.
 */

import { FRAME_BYTES, SAMPLE_RATE_HZ, encode } from './mulaw.js';
import { Resampler } from './resample.js';

/** The samples of one run when nothing is connected. */
const QUANTUM = 128;

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this._resampler = new Resampler(sampleRate, SAMPLE_RATE_HZ);
    this._frame = new Uint8Array(FRAME_BYTES);
    this._filled = 0;
    this._energy = 0;
    this._muted = false;
    this._open = true;
    this.port.onmessage = ({ data }) => {
      if ('muted' in data) this._muted = data.muted;
      if ('closed' in data) this._open = false;
    };
  }

  process([input]) {
    const samples = input[0];
    const count = samples?.length ?? QUANTUM;
    for (let at = 0; at < count; at += 1) {
      this._resampler.push(samples === undefined || this._muted ? 0 : samples[at]);
      while (!this._resampler.wants) this._keep(this._resampler.take());
    }
    return this._open;
  }

  _keep(sample) {
    this._frame[this._filled] = encode(sample);
    this._energy += sample * sample;
    this._filled += 1;
    if (this._filled < FRAME_BYTES) return;
    const level = Math.sqrt(this._energy / FRAME_BYTES);
    this.port.postMessage({ ulaw: this._frame, level }, [this._frame.buffer]);
    this._frame = new Uint8Array(FRAME_BYTES);
    this._filled = 0;
    this._energy = 0;
  }
}

registerProcessor('microphone', Microphone);
