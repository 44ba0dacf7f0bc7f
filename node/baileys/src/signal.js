/**
 * The library's Signal repository, made safe against kills and against itself.
 *
 * As it stands, an outgoing message's ratchet is stored only after the frame has left, inside
 * one long transaction: a kill between the two uses a message key twice, and a message that
 * comes in meanwhile has its ratchet overwritten. Here every operation on a session runs alone
 * and in a transaction of its own, so the ratchet is in the store before a frame leaves and
 * before a plaintext is handed on; and a plaintext is stored together with the ratchet, since
 * the same message that comes again is refused as a repetition.
 */

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

import { makeLibSignalRepository } from 'baileys/lib/Signal/libsignal.js';

import './signal_guard.js';

/** @typedef {ReturnType<typeof makeLibSignalRepository>} Repository */

/**
 * @typedef {object} Hooks
 * @property {(ciphertext: Uint8Array, plaintext: Uint8Array) => import('./store/store.js').Put | null} keep What is
 *   to be stored of a plaintext, in the same batch as the ratchet that can no longer decrypt it
 */

/** The type under which such puts go through the library's transaction to `Credentials.set`. */
export const KEPT_TYPE = 'kept-message';

/** What is being sent in this context; its `onWire` is awaited before the frame leaves.
 * @type {AsyncLocalStorage<{onWire: () => Promise<void>}>} */
export const sending = new AsyncLocalStorage();

/** A context that belongs to nobody: work run in it opens its own transaction. */
const outside = new AsyncResource('whatsapp-session');

/**
 * @param {Hooks} hooks
 * @returns {(auth: any, logger: any, pnToLid?: any) => any}
 */
export function signalRepository(hooks) {
  return (auth, logger, pnToLid) => {
    const inner = /** @type {any} */ (makeLibSignalRepository(auth, logger, pnToLid));
    /** @type {Promise<unknown>} */
    let last = Promise.resolve();
    /** One at a time, outside of any transaction. @param {() => Promise<any>} work */
    const alone = (work) => {
      const next = last.then(() => outside.runInAsyncScope(work));
      last = next.catch(() => {});
      return next;
    };
    return {
      ...inner,
      alone,
      /** @param {{jid: string, data: Uint8Array}} message */
      async encryptMessage(message) {
        // May ask the server; not while the others wait.
        await inner.lidMapping.getLIDForPN(message.jid).catch(() => null);
        const encrypted = await alone(() => inner.encryptMessage(message));
        await sending.getStore()?.onWire();
        return encrypted;
      },
      /** @param {{jid: string, type: string, ciphertext: Uint8Array}} message */
      decryptMessage(message) {
        return alone(() =>
          auth.keys.transaction(async () => {
            const plaintext = await inner.decryptMessage(message);
            const put = hooks.keep(message.ciphertext, plaintext);
            if (put !== null) await auth.keys.set({ [KEPT_TYPE]: { [put.key]: put } });
            return plaintext;
          }, message.jid),
        );
      },
      injectE2ESession: (/** @type {any} */ session) => alone(() => inner.injectE2ESession(session)),
      migrateSession: (/** @type {string} */ from, /** @type {string} */ to) => alone(() => inner.migrateSession(from, to)),
      deleteSession: (/** @type {string[]} */ jids) => alone(() => inner.deleteSession(jids)),
    };
  };
}
