/**
 * What a phone line has still to play, as Twilio keeps it. Pure; its clock is the samples taken.
 *
 * Bytes of µ-law, marks and clears flow in; samples flow out one by one, and the names of the
 * marks whose audio has been heard. A mark without audio before it is due at once; a clear
 * gives every mark back.
 */

import { SAMPLE_RATE_HZ, decode } from './mulaw.js';

/** Twilio ends the stream (31931) when ten minutes wait to be played. */
export const MAX_BUFFERED = 600 * SAMPLE_RATE_HZ;

export class Playback {
  /** @param {number} latency samples between being taken and being heard */
  constructor(latency) {
    this.latency = latency;
    /** Samples taken so far, silence included. */
    this.clock = 0;
    this._waiting = new Uint8Array(SAMPLE_RATE_HZ);
    this._head = 0;
    this._count = 0;
    /** When the last audio was, or will have been, taken. */
    this._end = 0;
    /** @type {{name: string, at: number}[]} */
    this._marks = [];
  }

  /** Samples that wait. */
  get buffered() {
    return this._count;
  }

  /**
   * Play this after what came before.
   *
   * @param {Uint8Array} ulaw
   * @returns {boolean} false: there is no room for it, and nothing was taken
   */
  media(ulaw) {
    if (this._count + ulaw.length > MAX_BUFFERED) return false;
    this._makeRoom(this._count + ulaw.length);
    const size = this._waiting.length;
    const at = (this._head + this._count) % size;
    const before = ulaw.subarray(0, size - at);
    this._waiting.set(before, at);
    this._waiting.set(ulaw.subarray(before.length), 0);
    this._count += ulaw.length;
    this._end = this.clock + this._count;
    return true;
  }

  /** @param {string} name to be given back when everything so far has been heard */
  mark(name) {
    this._marks.push({ name, at: Math.max(this._end + this.latency, this.clock) });
  }

  /** @returns {string[]} the marks that this gives back */
  clear() {
    this._count = 0;
    this._end = Math.min(this._end, this.clock);
    return this._marks.splice(0).map(({ name }) => name);
  }

  /** @returns {number} the next sample; silence when nothing waits */
  take() {
    this.clock += 1;
    if (this._count === 0) return 0;
    const code = this._waiting[this._head];
    this._head = (this._head + 1) % this._waiting.length;
    this._count -= 1;
    return decode(code);
  }

  /** @returns {string[]} marks that are due by now, in their order, each once */
  due() {
    let count = 0;
    while (count < this._marks.length && this._marks[count].at <= this.clock) count += 1;
    return count === 0 ? NONE : this._marks.splice(0, count).map(({ name }) => name);
  }

  _makeRoom(count) {
    const size = this._waiting.length;
    if (count <= size) return;
    const larger = new Uint8Array(Math.min(MAX_BUFFERED, Math.max(count, 2 * size)));
    const first = this._waiting.subarray(this._head, Math.min(size, this._head + this._count));
    larger.set(first);
    larger.set(this._waiting.subarray(0, this._count - first.length), first.length);
    this._waiting = larger;
    this._head = 0;
  }
}

const NONE = Object.freeze([]);
