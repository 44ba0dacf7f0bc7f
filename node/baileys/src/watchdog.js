/**
 * Whether a socket that seems to live does. Pure.
 *
 * WhatsApp's server answers a ping every 30 s, so an open socket without a frame for much longer
 * is deaf, whatever the operating system says of it; and a connection that does not come about
 * will not.
 */

export const DEAF_AFTER_MS = 75_000;
export const CONNECT_WITHIN_MS = 60_000;
export const LOOK_EVERY_MS = 5_000;

/**
 * @param {{state: import('./session.js').State, sinceMs: number, lastFrameMs: number | null, nowMs: number}} seen
 *   `sinceMs`: when that state began; all in Unix time
 * @returns {'deaf' | 'stuck' | null} why the socket should be closed
 */
export function fault({ state, sinceMs, lastFrameMs, nowMs }) {
  if (state === 'connecting' && nowMs - sinceMs > CONNECT_WITHIN_MS) return 'stuck';
  if (state === 'open' && nowMs - Math.max(sinceMs, lastFrameMs ?? 0) > DEAF_AFTER_MS) return 'deaf';
  return null;
}
