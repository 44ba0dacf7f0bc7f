/**
 * What is remembered of the erased, so that what comes late leaves nothing.
 *
 * Ids flow in and are kept as keyed hashes, for as long as something of them may still be on
 * its way; whether a message is of the erased flows out. The key is made from the token, which
 * is not in the store: nobody can tell from a hash whose it is.
 */

import { createHmac } from 'node:crypto';

import { idsOf } from './person.js';
import { entriesOf } from './store/store.js';

/** @typedef {import('./store/store.js').Put} Put */

const TABLE = 'erased';
/** WhatsApp keeps what it cannot deliver for thirty days. */
const KEPT_MS = 40 * 86_400_000;

export class Erased {
  /** @param {{store: import('./store/store.js').Store, token: string, now?: () => number}} parts */
  constructor({ store, token, now = Date.now }) {
    this.store = store;
    this.key = createHmac('sha256', token).update('voiceagent baileys erased v1').digest();
    this.now = now;
    /** @type {Map<string, number>} until when what is of them comes too late, in ms */
    this.known = new Map();
  }

  /** After becoming the owner. */
  async start() {
    this.known.clear();
    for await (const { key, value } of entriesOf(this.store, TABLE)) this.known.set(key, value);
  }

  /** From here on they are known. @param {import('./person.js').Person} person */
  async remember({ jids, ids, beforeMs }) {
    const expiresAt = this.now() + KEPT_MS;
    const keys = [...jids, ...ids].map((id) => this.hash(id));
    /** @type {Put[]} */
    const puts = keys.map((key) => {
      const value = Math.max(beforeMs, this.known.get(key) ?? 0);
      this.known.set(key, value);
      return { table: TABLE, key, value, expiresAt };
    });
    await this.store.write(puts);
  }

  /** Whether the message of that id, the caller's, was erased. @param {string} id */
  has(id) {
    return this.known.size > 0 && this.known.has(this.hash(id));
  }

  /** Whether that was written before its person was erased.
   * @param {import('./inbound.js').Chat} chat @param {string | null} writtenAt */
  isLate(chat, writtenAt) {
    if (this.known.size === 0 || writtenAt === null) return false;
    const at = Date.parse(writtenAt);
    return idsOf(chat).some((jid) => at <= (this.known.get(this.hash(jid)) ?? -Infinity));
  }

  /** @param {string} id */
  hash(id) {
    return createHmac('sha256', this.key).update(id).digest('base64url').slice(0, 22);
  }
}
