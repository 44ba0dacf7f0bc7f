/**
 * From one sample rate to another, sample by sample. Pure.
 *
 * Samples of one rate are pushed in, samples of the other are taken out, each when its
 * time has come; what the slower rate cannot carry is filtered away. It delays by about
 * three milliseconds and forgets nothing between calls.
 */

/** Zero crossings of the filter on each side; more are steeper and slower. */
const CROSSINGS = 24;
/** How much of the slower rate's band is kept: 3600 of 4000 Hz, of which a telephone has 3400. */
const BAND = 0.9;

export class Resampler {
  /**
   * @param {number} fromHz a whole number
   * @param {number} toHz a whole number
   */
  constructor(fromHz, toHz) {
    const common = greatestCommonDivisor(fromHz, toHz);
    this._up = toHz / common;
    this._down = fromHz / common;
    const cutoff = (BAND * Math.min(1, toHz / fromHz)) / 2;
    this._half = Math.ceil(CROSSINGS / (2 * cutoff));
    this._taps = 2 * this._half;
    this._kernels = kernels(this._up, this._half, cutoff);
    /** The last samples, twice, so that they always lie in one piece somewhere. */
    this._last = new Float32Array(2 * this._taps);
    this._at = 0;
    this._phase = 0;
    this._missing = this._half + 1;
  }

  /** Whether a sample must be pushed before the next one can be taken. */
  get wants() {
    return this._missing > 0;
  }

  /** @param {number} sample */
  push(sample) {
    this._last[this._at] = sample;
    this._last[this._at + this._taps] = sample;
    this._at = (this._at + 1) % this._taps;
    this._missing -= 1;
  }

  /** @returns {number} the next sample; ask `wants` first */
  take() {
    const kernel = this._phase * this._taps;
    let sum = 0;
    for (let tap = 0; tap < this._taps; tap += 1) {
      sum += this._kernels[kernel + tap] * this._last[this._at + tap];
    }
    this._phase += this._down;
    this._missing += Math.floor(this._phase / this._up);
    this._phase %= this._up;
    return sum;
  }
}

/** One windowed sinc for each place that an output sample can have between two input samples. */
function kernels(phases, half, cutoff) {
  const taps = 2 * half;
  const table = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase += 1) {
    const kernel = table.subarray(phase * taps, (phase + 1) * taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap - half + 1 - phase / phases;
      kernel[tap] = sinc(2 * cutoff * distance) * blackman(distance / half);
      sum += kernel[tap];
    }
    // A constant stays what it is, whatever the phase.
    for (let tap = 0; tap < taps; tap += 1) kernel[tap] /= sum;
  }
  return table;
}

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const blackman = (x) =>
  Math.abs(x) >= 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * x) + 0.08 * Math.cos(2 * Math.PI * x);

const greatestCommonDivisor = (a, b) => (b === 0 ? a : greatestCommonDivisor(b, a % b));
