/**
 * Messages in, none lost between WhatsApp's server and the queue of events.
 *
 * The library tells WhatsApp that a message has arrived, holds it back in memory for up to
 * half a minute, and only then hands it over; a kill in between would lose it. So its
 * plaintext is stored in the batch that moves the ratchet on, before the receipt, and taken
 * out in the batch that makes it an event. What is left over after a crash becomes events at the start.
 */

import { decodeMessageNode, jidNormalizedUser, proto, unpadRandomMax16 } from 'baileys';

import { CIPHERTEXT, account, chatOf } from './inbound.js';
import { said } from './log.js';
import { entriesOf } from './store/store.js';

/** @typedef {import('baileys').WAMessage} WAMessage */
/** @typedef {import('./store/store.js').Put} Put */

const KEPT_TABLE = 'inbox';
const SEEN_TABLE = 'inbound';
const UNDECRYPTED_TABLE = 'undecrypted';
const CHATS_TABLE = 'chats';
const SEEN_MS = 30 * 86_400_000;
const KEPT_MS = 14 * 86_400_000;
const STEP = 200;

export class Inbox {
  /**
   * @param {object} parts
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./events.js').Events} parts.events
   * @param {import('./outgoing.js').Outgoing} parts.outgoing
   * @param {import('./erased.js').Erased} parts.erased
   * @param {import('./log.js').Log} parts.log
   * @param {import('./metrics.js').Metrics} parts.metrics
   * @param {() => {id: string, lid: string}} parts.me the own WhatsApp ids
   * @param {() => number} [parts.now]
   */
  constructor({ store, events, outgoing, erased, log, metrics, me, now = Date.now }) {
    this.store = store;
    this.events = events;
    this.outgoing = outgoing;
    this.erased = erased;
    this.log = log;
    this.metrics = metrics;
    this.me = me;
    this.now = now;
    /** @type {WeakMap<Uint8Array, {attrs: Record<string, string>}>} the stanza of each ciphertext */
    this.stanzas = new WeakMap();
    this.kept = 0;
    /** @type {number | null} */
    this.lastInboundMs = null;
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve();
  }

  /** A message's stanza has come, still encrypted. @param {any} node */
  arrived(node) {
    if (!Array.isArray(node.content)) return;
    for (const child of node.content) {
      if (child.tag === 'enc' && child.content instanceof Uint8Array) this.stanzas.set(child.content, node);
    }
  }

  /** What keeps a plaintext until it has become an event.
   * @param {Uint8Array} ciphertext @param {Uint8Array} plaintext @returns {Put | null} */
  keeping(ciphertext, plaintext) {
    const attrs = this.stanzas.get(ciphertext)?.attrs;
    if (attrs?.id === undefined) return null;
    const value = { attrs, plaintext: Buffer.from(plaintext).toString('base64'), at: this.now(), order: (this.kept += 1) };
    return { table: KEPT_TABLE, key: attrs.id, value, expiresAt: this.now() + KEPT_MS };
  }

  /** The library hands messages over. @param {WAMessage[]} messages @param {boolean} whileAway */
  take(messages, whileAway) {
    return this.inTurn(() => this.keep(messages, whileAway));
  }

  /** What was kept and never handed over becomes events now. */
  recover() {
    return this.inTurn(async () => {
      const entries = [];
      for (let after = ''; ; ) {
        const some = await this.store.scan(KEPT_TABLE, { after, limit: STEP });
        entries.push(...some);
        if (some.length < STEP) break;
        after = some[some.length - 1].key;
      }
      if (entries.length === 0) return 0;
      entries.sort((a, b) => a.value.at - b.value.at || a.value.order - b.value.order);
      for (const { value } of entries) {
        const message = this.revived(value);
        if (message !== null) await this.keep([message], value.attrs.offline !== undefined);
      }
      this.log.info('Messages that a crash had left behind were recovered', { messages: entries.length });
      return entries.length;
    });
  }

  /** A message that was taken before, as the library has it. @param {string} id @returns {Promise<WAMessage | null>} */
  async find(id) {
    const kept = (await this.store.read(SEEN_TABLE, [id])).get(id);
    if (!kept?.proto) return null;
    return /** @type {WAMessage} */ (proto.WebMessageInfo.decode(Buffer.from(kept.proto, 'base64')));
  }

  /** Deletes what a person has written, and what was written to them on the phone.
   * @param {import('./person.js').Person} person @returns {Promise<number>} how many messages */
  erase(person) {
    return this.inTurn(async () => {
      /** @type {Put[]} */
      const gone = [];
      for await (const { key, value } of entriesOf(this.store, KEPT_TABLE)) {
        const { attrs, at } = value;
        const jid = Object.values(attrs).find((one) => person.has(one));
        if (jid && person.spoke({ jid: jidNormalizedUser(jid) }, attrs.t ? Number(attrs.t) * 1000 : at)) gone.push({ table: KEPT_TABLE, key, value: null });
      }
      for await (const { key, value } of entriesOf(this.store, SEEN_TABLE)) {
        const { key: of, messageTimestamp } = proto.WebMessageInfo.decode(Buffer.from(value.proto, 'base64'));
        const chat = of ? chatOf(/** @type {any} */ (of)) : null;
        if (chat !== null && person.spoke(chat, Number(messageTimestamp ?? 0) * 1000)) gone.push({ table: SEEN_TABLE, key, value: null });
      }
      const messages = gone.length;
      for (const [key, { at }] of await this.store.read(CHATS_TABLE, [...person.jids])) {
        if (at <= person.beforeMs) gone.push({ table: CHATS_TABLE, key, value: null });
      }
      for (let at = 0; at < gone.length; at += STEP) await this.store.write(gone.slice(at, at + STEP));
      return messages;
    });
  }

  /** Whether one of these ids of a person has ever written. @param {string[]} jids */
  async hasWritten(jids) {
    return (await this.store.read(CHATS_TABLE, jids)).size > 0;
  }

  /** @param {{attrs: any, plaintext: string}} kept @returns {WAMessage | null} */
  revived({ attrs, plaintext }) {
    try {
      const { id, lid } = this.me();
      const { fullMessage } = /** @type {any} */ (decodeMessageNode(/** @type {any} */ ({ tag: 'message', attrs }), id, lid));
      const content = proto.Message.decode(unpadRandomMax16(Buffer.from(plaintext, 'base64')));
      return { ...fullMessage, message: content.deviceSentMessage?.message ?? content };
    } catch (error) {
      this.log.warning('A kept message could not be read', { message: attrs.id, error: said(error) });
      return null;
    }
  }

  /** @param {WAMessage[]} messages @param {boolean} whileAway */
  async keep(messages, whileAway) {
    const ids = messages.map(({ key }) => key.id ?? '').filter(Boolean);
    const seen = await this.store.read(SEEN_TABLE, ids);
    const missed = await this.store.read(UNDECRYPTED_TABLE, ids);
    const readable = messages.filter(({ messageStubType }) => messageStubType !== CIPHERTEXT);
    /** @type {Put[]} */
    const puts = readable.map(({ key }) => ({ table: KEPT_TABLE, key: key.id ?? '', value: null }));
    const happenings = [];
    const expiresAt = this.now() + SEEN_MS;
    for (const message of messages) {
      const told = account(message, whileAway);
      if (told === null || seen.has(told.messageId)) continue;
      if (this.erased.isLate(told.chat, told.data.sent_at ?? told.data.at ?? null)) continue;
      if (told.fromMe && (await this.ownStatus(message))) continue;
      if (told.type === 'message.undecrypted') {
        if (missed.has(told.messageId)) continue;
        missed.set(told.messageId, 1);
        puts.push({ table: UNDECRYPTED_TABLE, key: told.messageId, value: 1, expiresAt });
      } else {
        const value = { proto: Buffer.from(proto.WebMessageInfo.encode(/** @type {any} */ (message)).finish()).toString('base64') };
        seen.set(told.messageId, value);
        puts.push({ table: SEEN_TABLE, key: told.messageId, value, expiresAt });
        if (!told.fromMe) puts.push(...this.written(told.chat));
      }
      happenings.push({ type: told.type, data: told.data });
      this.metrics.add('baileys_messages_in_total', { kind: told.data.kind ?? told.type.slice('message.'.length) });
      if (!told.fromMe) this.lastInboundMs = this.now();
    }
    if (puts.length > 0 || happenings.length > 0) await this.events.append(happenings, puts);
  }

  /** A message of our own: sent through here, or by the owner on the phone? @param {WAMessage} message */
  async ownStatus(message) {
    const id = message.key.id ?? '';
    const level = Number(message.status ?? 0);
    const status = level >= 4 ? 'read' : level === 3 ? 'delivered' : 'sent';
    return this.outgoing.reached(id, status);
  }

  /** @param {import('./inbound.js').Chat} chat @returns {Put[]} */
  written(chat) {
    const number = chat.phone === null ? null : `${chat.phone.slice(1)}@s.whatsapp.net`;
    const keys = new Set([chat.jid, chat.lid, number].filter((jid) => jid !== null));
    return [...keys].map((key) => ({ table: CHATS_TABLE, key, value: { at: this.now() } }));
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  inTurn(work) {
    const next = this.last.then(work);
    this.last = next.catch(() => {});
    return next;
  }
}
