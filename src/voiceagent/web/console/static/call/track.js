/**
 * Where in a call its recording is: which turns are heard, and where the picture's cursor stands.
 *
 * Seconds of the recording and what the page knows flow in; turns and places flow out. Pure.
 *
 * @typedef {object} Turn
 * @property {number} seq
 * @property {number} from ms since the call's sound began, as all its moments
 * @property {number} until the same as `from` where its end is not known
 */

/** How long a turn is shown whose end is not known. */
const SHORTEST_MS = 400;

/**
 * @param {number} seconds of the recording
 * @param {number} offsetS how long the call had lasted when the recording began
 */
export const momentOf = (seconds, offsetS) => (seconds + offsetS) * 1000;

/**
 * Both may speak at once; in silence, whoever spoke last.
 *
 * @param {Turn[]} turns by their beginnings
 * @param {number} ms
 * @returns {number[]} the `seq` of each
 */
export function heardAt(turns, ms) {
  const begun = turns.filter(({ from }) => from <= ms);
  const now = begun.filter(({ from, until }) => ms < Math.max(until, from + SHORTEST_MS));
  return (now.length > 0 ? now : begun.slice(-1)).map(({ seq }) => seq);
}

/**
 * @param {number} ms
 * @param {number} stripMs how long a strip is
 * @param {number} count of strips
 * @returns {{strip: number, part: number} | null} `part` of the strip's width; null: outside
 */
export function placeOf(ms, stripMs, count) {
  const strip = Math.floor(ms / stripMs);
  if (ms < 0 || strip >= count) return null;
  return { strip, part: (ms - strip * stripMs) / stripMs };
}

/**
 * What a place in the picture means for the player.
 *
 * @param {number} strip
 * @param {number} part
 * @param {number} stripMs
 * @param {number} offsetS
 * @returns {number} seconds of the recording; 0 for what came before it
 */
export function secondsAt(strip, part, stripMs, offsetS) {
  return Math.max(0, ((strip + part) * stripMs) / 1000 - offsetS);
}
