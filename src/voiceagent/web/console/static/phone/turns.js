/**
 * What was said, as the page shows it: each turn's words and how long things took. Pure.
 *
 * Turns as they are recorded flow in; lines flow out, with what was heard of them apart from
 * what was not, and of an answer the way from the caller's last voice to the agent's first.
 */

/** The stretches of an answer's way, each up to the moment of that name. */
const STRETCHES = [
  ['wait', 'eou_at_ms'],
  ['think', 'first_sentence_at_ms'],
  ['voice', 'first_audio_at_ms'],
  ['send', 'first_frame_at_ms'],
];

/**
 * @typedef {object} Turn as the console's route has it
 * @property {number} seq
 * @property {'caller' | 'agent'} who
 * @property {string} text
 * @property {string} heard
 * @property {'speaking' | 'complete' | 'interrupted' | 'abandoned'} status
 * @property {string} source
 * @property {Record<string, number>} timings
 *
 * @typedef {object} Line
 * @property {number} seq
 * @property {'caller' | 'agent'} who
 * @property {string} status
 * @property {string} said what was heard, or is being said
 * @property {string} unheard
 * @property {number | null} responseMs
 * @property {{name: string, ms: number}[]} way of the response; the sum is `responseMs`
 * @property {number | null} waitedMs the silence that ended the caller's words
 * @property {boolean} keyed typed on the keys
 */

/**
 * @param {Turn} turn
 * @returns {Line}
 */
export function lineOf(turn) {
  const { timings, status } = turn;
  const isOver = turn.who === 'caller' || status !== 'speaking';
  const said = isOver && turn.text.startsWith(turn.heard) ? turn.heard : turn.text;
  return {
    seq: turn.seq,
    who: turn.who,
    status,
    said,
    unheard: turn.text.slice(said.length),
    responseMs: timings.response_ms ?? null,
    way: turn.who === 'agent' ? wayOf(timings) : [],
    waitedMs: turn.who === 'caller' ? (timings.eou_ms ?? null) : null,
    keyed: turn.source === 'dtmf',
  };
}

/** What was done before the caller's words were over took no time of the answer's. */
function wayOf(timings) {
  const from = timings.speech_ended_at_ms;
  const until = timings.first_frame_at_ms;
  if (timings.response_ms === undefined || from === undefined || until === undefined) return [];
  const way = [];
  let at = from;
  for (const [name, moment] of STRETCHES) {
    const reached = Math.min(until, Math.max(at, timings[moment] ?? at));
    way.push({ name, ms: reached - at });
    at = reached;
  }
  return way;
}

/**
 * The middle of so many: what a call's answers took.
 *
 * @param {Line[]} lines
 * @returns {{count: number, medianMs: number, longestMs: number} | null} null: nothing was answered
 */
export function summaryOf(lines) {
  const all = lines.flatMap(({ responseMs }) => (responseMs === null ? [] : [responseMs]));
  if (all.length === 0) return null;
  all.sort((a, b) => a - b);
  const middle = all.length / 2;
  const medianMs = (all[Math.ceil(middle) - 1] + all[Math.floor(middle)]) / 2;
  return { count: all.length, medianMs, longestMs: all[all.length - 1] };
}
