/**
 * The records of messages out: what was asked for, and how far each has come.
 *
 * Statuses flow in from the socket, from receipts and from timers, in any order and more than
 * once; they only rise. Each rise is written with its event. What is learnt while the store is
 * away is owed, and kept when it is back.
 */

import { createHash } from 'node:crypto';

import { KeyedQueue } from './keyed_queue.js';
import { gone } from './problems.js';
import { entriesOf } from './store/store.js';

/** @typedef {import('./store/store.js').Put} Put */
/** @typedef {'queued' | 'sending' | 'unknown' | 'failed' | 'sent' | 'delivered' | 'read'} Status */
/** @typedef {{code: string, wa_code: string | null, detail: string}} Refusal */

/**
 * @typedef {object} Record
 * @property {string} id
 * @property {string} message_id
 * @property {string} fingerprint
 * @property {{jid: string, phone: string | null}} to
 * @property {Status} status
 * @property {Refusal | null} error
 * @property {string} proto base64
 * @property {string} created_at
 * @property {string} updated_at
 */

const TABLE = 'outgoing';
const IDS_TABLE = 'outgoing_ids';
const OPEN_TABLE = 'outgoing_open';
const KEPT_MS = 90 * 86_400_000;
const RECENT = 2_000;
const STEP = 200;
const RANK = /** @type {const} */ ({ queued: 0, sending: 1, unknown: 2, failed: 3, sent: 4, delivered: 5, read: 6 });

/** The message's id on WhatsApp, the same for the same caller's id. @param {string} id */
export function messageIdOf(id) {
  const digest = createHash('sha256').update(`voiceagent:${id}`).digest('hex');
  return `3EB0${digest.slice(0, 18).toUpperCase()}`;
}

/** A record as callers see it. @param {Record} record */
export function shown({ id, message_id, to, status, error, created_at, updated_at }) {
  const acked = RANK[status] >= RANK.sent;
  return { id, message_id, to, status, acked, error, created_at, updated_at };
}

export class Records {
  /**
   * @param {object} parts
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./events.js').Events} parts.events
   * @param {import('./metrics.js').Metrics} parts.metrics
   * @param {(record: Record) => void} parts.onFate called when it is known, or known to be unknown, what became of one
   * @param {(id: string) => boolean} parts.inUse
   * @param {import('./erased.js').Erased} parts.erased
   * @param {() => number} parts.now
   */
  constructor({ store, events, metrics, onFate, inUse, erased, now }) {
    this.store = store;
    this.erased = erased;
    this.events = events;
    this.metrics = metrics;
    this.onFate = onFate;
    this.inUse = inUse;
    this.now = now;
    this.changes = new KeyedQueue();
    /** @type {Map<string, Record>} by the caller's id, the oldest first */
    this.recent = new Map();
    /** @type {Map<string, string>} the recent ones' ids by their ids on WhatsApp */
    this.ids = new Map();
    /** @type {Set<string>} perhaps marked in the store as `sending`, and certainly not sent */
    this.notSent = new Set();
    /** @type {Map<string, {status: Status, error: Refusal | null}>} */
    this.owed = new Map();
  }

  /** After becoming the owner: what an earlier life left on the wire is unknown. */
  async start() {
    this.recent.clear();
    this.ids.clear();
    await this.settleOwed();
    for (let after = ''; ; ) {
      const open = await this.store.scan(OPEN_TABLE, { after, limit: STEP });
      for (const { key } of open) await (this.notSent.has(key) ? this.takeBack(key) : this.raise(key, 'unknown'));
      if (open.length < STEP) return;
      after = open[open.length - 1].key;
    }
  }

  /** @param {string} id @returns {Promise<Record | null>} */
  async find(id) {
    const recent = this.recent.get(id);
    if (recent !== undefined) return recent;
    const kept = (await this.store.read(TABLE, [id])).get(id);
    if (kept === undefined || this.erased.has(id)) return null;
    if (!this.recent.has(id)) this.remember(kept);
    return kept;
  }

  /** The ids of those that are this person's. @param {import('./person.js').Person} person */
  async idsTo(person) {
    const ids = [];
    for await (const { key, value } of entriesOf(this.store, TABLE)) if (person.wasSent(value)) ids.push(key);
    return ids;
  }

  /** Deletes one that is known as erased. @param {string} id */
  erase(id) {
    return this.changes.run(id, async () => {
      const kept = this.recent.get(id) ?? (await this.store.read(TABLE, [id])).get(id);
      this.notSent.delete(id);
      this.owed.delete(id);
      if (kept === undefined) return;
      this.recent.delete(id);
      this.ids.delete(kept.message_id);
      await this.store.write([
        { table: TABLE, key: id, value: null },
        { table: IDS_TABLE, key: kept.message_id, value: null },
        { table: OPEN_TABLE, key: id, value: null },
      ]);
    });
  }

  /** By its id on WhatsApp. @param {string} messageId @returns {Promise<Record | null>} */
  async findByMessageId(messageId) {
    const recent = this.ids.get(messageId);
    if (recent !== undefined) return this.find(recent);
    const id = (await this.store.read(IDS_TABLE, [messageId])).get(messageId);
    return id === undefined ? null : this.find(id);
  }

  /** Whether a repetition may send it: it certainly never left. @param {Record} record */
  mayBeSent({ id, status }) {
    return status === 'queued' || this.notSent.has(id);
  }

  /** Keeps a new record, with what is true together with it. @param {Record} record @param {Put[]} puts */
  async add(record, puts) {
    if (this.erased.has(record.id)) throw gone();
    const ids = { table: IDS_TABLE, key: record.message_id, value: record.id, expiresAt: this.now() + KEPT_MS };
    await this.store.write([...this.puts(record), ids, ...puts]);
    if (this.erased.has(record.id)) {
      // Its person was erased while it was being written.
      await this.erase(record.id);
      throw gone();
    }
    this.remember(record);
  }

  /**
   * @param {string} id
   * @param {Status} status
   * @param {Refusal | null} [error]
   * @returns {Promise<boolean>} whether it rose
   */
  async raise(id, status, error = null) {
    try {
      return await this.changes.run(id, () => this.rise(id, status, error));
    } catch (fault) {
      const before = this.owed.get(id);
      if (status !== 'sending' && (before === undefined || RANK[before.status] < RANK[status])) this.owed.set(id, { status, error });
      throw fault;
    }
  }

  /** The store is back: what was learnt meanwhile is kept now. */
  async settleOwed() {
    for (const [id, { status, error }] of [...this.owed]) {
      await this.raise(id, status, error);
      this.owed.delete(id);
    }
  }

  /** Marks that it may be on the wire from here on; throws when it could not be marked. @param {string} id */
  async mark(id) {
    this.notSent.delete(id);
    try {
      if (!(await this.raise(id, 'sending'))) throw new Error('it was sent before');
    } catch (error) {
      // Whether the store has it is not known, but the frame stays here.
      this.notSent.add(id);
      throw error;
    }
  }

  /** It certainly did not leave: the mark is taken back. @param {string} id */
  takeBack(id) {
    return this.changes.run(id, async () => {
      const record = await this.find(id);
      if (record === null || record.status !== 'sending') return;
      const queued = { ...record, status: /** @type {Status} */ ('queued') };
      this.remember(queued);
      this.notSent.add(id);
      await this.store.write(this.puts(queued));
      this.notSent.delete(id);
    });
  }

  /** @param {string} id @param {Status} status @param {Refusal | null} error */
  async rise(id, status, error) {
    const record = await this.find(id);
    if (record === null || RANK[record.status] >= RANK[status]) return false;
    const at = new Date(this.now()).toISOString();
    const raised = { ...record, status, error, updated_at: at };
    const data = { id, message_id: record.message_id, status, error, at };
    await this.events.append(status === 'sending' ? [] : [{ type: 'message.status', data }], this.puts(raised));
    this.remember(raised);
    this.metrics.add('baileys_messages_out_total', { status });
    if (RANK[status] >= RANK.unknown) this.onFate(raised);
    return true;
  }

  /** @param {Record} record @returns {Put[]} */
  puts(record) {
    return [
      { table: TABLE, key: record.id, value: record, expiresAt: this.now() + KEPT_MS },
      { table: OPEN_TABLE, key: record.id, value: record.status === 'sending' ? 1 : null },
    ];
  }

  /** @param {Record} record */
  remember(record) {
    this.recent.delete(record.id);
    this.recent.set(record.id, record);
    this.ids.set(record.message_id, record.id);
    if (this.recent.size <= RECENT) return;
    for (const [id, { message_id }] of this.recent) {
      if (this.inUse(id) || this.notSent.has(id) || this.owed.has(id)) continue;
      this.recent.delete(id);
      this.ids.delete(message_id);
      return;
    }
  }
}
