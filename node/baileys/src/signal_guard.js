/**
 * A guard around one fault of libsignal 6.0.0, loaded once, before any session is used.
 *
 * To decrypt a message it tries every session that it has with that device. An attempt that
 * fails has by then moved the session's ratchet on, and the record is stored like that when
 * another session fits: the next messages in the spoiled session are "Bad MAC" on both sides.
 * New sessions are common (the library begins one whenever it asks for a contact's devices),
 * so this happens to whoever writes while we do. Here a failed attempt leaves no trace.
 */

import { createRequire } from 'node:module';

const { SessionCipher } = createRequire(import.meta.url)('libsignal');

const attempt = SessionCipher.prototype.doDecryptWhisperMessage;

/** @param {Buffer} message @param {any} session */
SessionCipher.prototype.doDecryptWhisperMessage = async function guarded(message, session) {
  const before = session?.serialize();
  try {
    return await attempt.call(this, message, session);
  } catch (error) {
    if (session) Object.assign(session, session.constructor.deserialize(before));
    throw error;
  }
};
