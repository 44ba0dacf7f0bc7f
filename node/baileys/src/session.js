/**
 * What to do when the connection to WhatsApp ends, as a machine without a clock. Pure.
 *
 * A closing code and what went before flow in; a state and a delay flow out. Rules that hold
 * for every row: never wipe credentials, never hammer, and never go on where a person is
 * needed.
 */

/**
 * @typedef {'connecting' | 'pairing' | 'open' | 'waiting' | 'paused' | 'stopped' | 'failed' | 'logged_out'
 *   | 'standby' | 'draining'} State
 *
 * @typedef {object} Past what the decision rests on
 * @property {number} attempt closings since the connection last stood for a while
 * @property {number} restarts 515s since then
 * @property {number} failures 500s since then
 * @property {boolean} wasReplaced whether a 440 came within the last 10 minutes
 * @property {boolean} paired
 * @property {number} pairingRounds rounds of QR codes that nobody scanned
 *
 * @typedef {object} Closing
 * @property {number | null} code `null`: the socket died without one
 * @property {boolean} transport whether the WebSocket itself failed: then a 401 is a proxy's, not WhatsApp's
 *
 * @typedef {object} Step
 * @property {State} state
 * @property {number | null} retryInMs `null`: only when told to
 * @property {boolean} archive whether the credentials are put aside and a new pairing begins
 * @property {string} text
 * @property {string | null} advice
 */

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const MAX_RESTARTS = 5;
const MAX_FAILURES = 6;
const MAX_PAIRING_ROUNDS = 5;
const REPLACED_WAIT_MS = 30_000;

/** How long a connection must stand until what went before is forgotten. */
export const SETTLED_MS = 30_000;
export const REPLACED_MEMORY_MS = 600_000;

/** @returns {Past} */
export const nothingPast = () => ({
  attempt: 0,
  restarts: 0,
  failures: 0,
  wasReplaced: false,
  paired: false,
  pairingRounds: 0,
});

/**
 * @param {Closing} closing
 * @param {Past} past
 * @param {number} random 0 to 1
 * @returns {Step}
 */
export function afterClosing({ code, transport }, past, random) {
  if (transport) return retry(past, random, `the WebSocket failed (${code ?? 'no code'})`);
  switch (code) {
    case 515:
      if (past.restarts >= MAX_RESTARTS) return retry(past, random, 'WhatsApp asks for a restart again and again (515)');
      return { ...retry(past, random, 'WhatsApp asked for a restart (515)'), retryInMs: 0 };
    case 408:
      if (!past.paired && past.pairingRounds >= MAX_PAIRING_ROUNDS) {
        return stop('nobody scanned the QR code', 'Start the session again when the phone is at hand.');
      }
      return retry(past, random, 'the connection was lost (408)');
    case null:
    case 428:
    case 503:
      return retry(past, random, `the connection was lost (${code ?? 'no code'})`);
    case 500:
      if (past.failures < MAX_FAILURES) return retry(past, random, 'WhatsApp reports a bad session (500)');
      return {
        ...stop(
          'WhatsApp reports a bad session again and again (500)',
          'The credentials are kept. Start the session again later; if that does not help, log out and pair anew.',
        ),
        state: 'failed',
      };
    case 440:
      if (past.wasReplaced) {
        return stop(
          'another connection with the same credentials took over, twice (440)',
          'Find the other program that uses this session and end it, then start the session.',
        );
      }
      return {
        ...retry(past, random, 'another connection with the same credentials took over (440)'),
        retryInMs: Math.round(REPLACED_WAIT_MS * (1 + random / 2)),
      };
    case 401:
      if (!past.paired) return retry(past, random, 'WhatsApp refused the pairing (401)');
      return {
        state: 'logged_out',
        retryInMs: 0,
        archive: true,
        text: 'this device was unlinked (401)',
        advice: 'Scan the new QR code with the phone, under Linked devices.',
      };
    case 402:
    case 403:
    case 406:
      return stop(`WhatsApp has restricted or banned the account (${code})`, 'Look into WhatsApp on the phone; it says what to do.');
    case 411:
      return stop('the phone’s WhatsApp does not support linked devices (411)', 'Update WhatsApp on the phone, then start the session.');
    case 405:
      return stop('WhatsApp refuses this version (405)', 'Set WA_VERSION to the current version of WhatsApp Web, or update the sidecar.');
    default:
      return retry(past, random, `WhatsApp closed the connection (${code})`);
  }
}

/** What is remembered after that closing. @param {Closing} closing @param {Past} past @returns {Past} */
export function remembered({ code, transport }, past) {
  return {
    ...past,
    attempt: past.attempt + 1,
    restarts: past.restarts + Number(code === 515 && !transport),
    failures: past.failures + Number(code === 500 && !transport),
    wasReplaced: past.wasReplaced || (code === 440 && !transport),
    pairingRounds: past.pairingRounds + Number(!past.paired && code === 408),
  };
}

/** @param {Past} past @param {number} random @param {string} text @returns {Step} */
function retry(past, random, text) {
  const base = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(past.attempt, 10));
  // Half of it fixed, half at random: many that lost one server do not come back at once.
  return { state: 'waiting', retryInMs: Math.round(base * (0.5 + random / 2)), archive: false, text, advice: null };
}

/** @param {string} text @param {string} advice @returns {Step} */
function stop(text, advice) {
  return { state: 'stopped', retryInMs: null, archive: false, text, advice };
}
