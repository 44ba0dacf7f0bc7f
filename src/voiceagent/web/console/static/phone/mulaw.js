/**
 * G.711 µ-law, one byte a sample, between bytes and samples of -1 to 1. Pure.
 *
 * The same codes as `call/audio.py` has, to the bit: a test compares all of them.
 */

export const SAMPLE_RATE_HZ = 8000;
/** 20 ms. */
export const FRAME_BYTES = 160;
/** The code of PCM 0. */
export const SILENCE = 0xff;

const BIAS = 0x84;
const BIAS_14_BIT = 0x21;
const CLIP_14_BIT = 8158;

/** The sample of each of the 256 codes. */
const SAMPLES = Float32Array.from({ length: 256 }, (_, code) => toPcm16(code) / 32768);

/**
 * @param {number} pcm a whole number of 16 bits
 * @returns {number} its code
 */
export function fromPcm16(pcm) {
  // G.711 codes 14-bit values; the reference shifts the low bits out before it takes the sign.
  const value = pcm >> 2;
  const sign = value < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(value), CLIP_14_BIT) + BIAS_14_BIT;
  const exponent = 26 - Math.clz32(magnitude);
  const mantissa = (magnitude >> (exponent + 1)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

/**
 * @param {number} code
 * @returns {number} a whole number of 16 bits
 */
export function toPcm16(code) {
  const bits = ~code;
  const magnitude = (((bits & 0x0f) << 3) + BIAS) << ((bits >> 4) & 0x07);
  return bits & 0x80 ? BIAS - magnitude : magnitude - BIAS;
}

/**
 * @param {number} sample beyond -1 and 1 it is clipped
 * @returns {number} its code
 */
export const encode = (sample) => fromPcm16(Math.round(Math.max(-1, Math.min(1, sample)) * 32767));

/**
 * @param {number} code
 * @returns {number} its sample
 */
export const decode = (code) => SAMPLES[code];
