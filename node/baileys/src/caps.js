/**
 * How much may be sent, so that WhatsApp does not take the account for a spammer's. Pure.
 *
 * What was sent so far, the limits, the time and a random number flow in; a moment to send at
 * or a refusal flows out. People who have written first are answered within the caps; people
 * who have not are few a day, and none while WhatsApp forbids new chats (463).
 */

export const BUCKET_MS = 300_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long new chats rest after a 463 that did not say until when. */
export const NEW_CHATS_PAUSE_MS = DAY_MS;

/**
 * @typedef {object} Limits
 * @property {number} hourly 0: none
 * @property {number} daily 0: none
 * @property {number} newChatsDaily 0: none; -1: no new chats at all
 * @property {[number, number]} paceMs the least and the most between two messages
 *
 * @typedef {object} History
 * @property {[number, number, number][]} buckets of 5 minutes: number, messages, new chats
 * @property {number} lastAt when the last message left or will leave
 * @property {number} newChatsPausedUntil Unix time in ms
 *
 * @typedef {{allowed: true, at: number, history: History}
 *   | {allowed: false, code: string, retryAfterS: number}} Decision
 */

/** @returns {History} */
export const noHistory = () => ({ buckets: [], lastAt: 0, newChatsPausedUntil: 0 });

/**
 * @param {History} history
 * @param {Limits} limits
 * @param {{now: number, newChat: boolean, random: number}} message `random`: 0 to 1
 * @returns {Decision}
 */
export function decide(history, limits, { now, newChat, random }) {
  if (newChat && now < history.newChatsPausedUntil) {
    return refusal('new_chats_paused', history.newChatsPausedUntil - now);
  }
  if (newChat && limits.newChatsDaily < 0) return refusal('new_chats_cap', DAY_MS);
  const buckets = history.buckets.filter(([bucket]) => bucket > (now - DAY_MS) / BUCKET_MS);
  const checks = /** @type {[string, number, number, 1 | 2][]} */ ([
    ['hourly_cap', limits.hourly, HOUR_MS, 1],
    ['daily_cap', limits.daily, DAY_MS, 1],
    ...(newChat ? [['new_chats_cap', limits.newChatsDaily, DAY_MS, 2]] : []),
  ]);
  for (const [code, limit, windowMs, column] of checks) {
    const inWindow = buckets.filter((bucket) => bucket[0] > (now - windowMs) / BUCKET_MS && bucket[column] > 0);
    const sent = inWindow.reduce((sum, bucket) => sum + bucket[column], 0);
    if (limit > 0 && sent >= limit) return refusal(code, inWindow[0][0] * BUCKET_MS + windowMs + BUCKET_MS - now);
  }
  const [least, most] = limits.paceMs;
  const at = Math.max(now, history.lastAt + least + Math.round((most - least) * random));
  const number = Math.floor(now / BUCKET_MS);
  const last = buckets.at(-1);
  const [messages, newChats] = last !== undefined && last[0] === number ? [last[1], last[2]] : [0, 0];
  /** @type {[number, number, number]} */
  const current = [number, messages + 1, newChats + Number(newChat)];
  const before = last !== undefined && last[0] === number ? buckets.slice(0, -1) : buckets;
  return { allowed: true, at, history: { ...history, buckets: [...before, current], lastAt: at } };
}

/** No new chats until then. @param {History} history @param {number} until @returns {History} */
export function pauseNewChats(history, until) {
  return { ...history, newChatsPausedUntil: Math.max(until, history.newChatsPausedUntil) };
}

/** @param {string} code @param {number} waitMs @returns {Decision} */
function refusal(code, waitMs) {
  return { allowed: false, code, retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) };
}
