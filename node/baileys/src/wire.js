/**
 * What carries messages out, as `outgoing.js` wants it: the supervisor's socket, with what is
 * known of numbers and chats.
 */

import { proto } from 'baileys';

import { encoded } from './content.js';
import { libraryLogger, said } from './log.js';
import { Problem, notNow } from './problems.js';
import { RENEW_EVERY_MS } from './store/store.js';

/** @typedef {import('./outgoing.js').Wire} Wire */
/** @typedef {import('./requests.js').Recipient} Recipient */

const NUMBERS_TABLE = 'numbers';
const NUMBER_KEPT_MS = 7 * 86_400_000;
const PERSON_NEEDED = new Set(['stopped', 'failed', 'logged_out', 'pairing']);

/** @implements {Wire} */
export class SessionWire {
  /**
   * @param {object} parts
   * @param {import('./supervisor.js').Supervisor} parts.supervisor
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./log.js').Log} parts.log
   */
  constructor({ supervisor, store, log }) {
    this.supervisor = supervisor;
    this.store = store;
    this.log = log;
  }

  /** Why nothing can be sent now. @returns {Problem | null} */
  fault() {
    const { supervisor } = this;
    if (supervisor.draining) return notNow('draining', 'the sidecar is being stopped', 10);
    if (!supervisor.ownership.storeFine) return notNow('store_away', 'the store does not answer', RENEW_EVERY_MS / 1000);
    if (supervisor.state === 'open' && supervisor.socket !== null) return null;
    if (supervisor.reason?.code === 'events_full') return notNow('busy', 'too many events wait for the API', 5);
    const waitMs = PERSON_NEEDED.has(supervisor.state)
      ? 300_000
      : Math.max(2_000, (supervisor.nextAttemptMs ?? 0) - supervisor.now());
    const why = [supervisor.reason?.text, supervisor.advice].filter(Boolean).join('. ') || supervisor.state;
    return notNow('not_connected', `WhatsApp is not connected (${why})`, waitMs / 1000);
  }

  /** @param {Recipient} to */
  async find({ jid }) {
    if (jid.endsWith('@lid')) return jid;
    const known = (await this.store.read(NUMBERS_TABLE, [jid])).get(jid);
    if (known !== undefined) return /** @type {string} */ (known);
    const found = await this.asked('WhatsApp could not be asked for the number', () => this.socket().find(jid));
    if (found !== null) {
      const expiresAt = this.supervisor.now() + NUMBER_KEPT_MS;
      await this.store.write([{ table: NUMBERS_TABLE, key: jid, value: found, expiresAt }]);
    }
    return found;
  }

  /** @param {Recipient} to */
  async hasWritten({ jid }) {
    const ids = await this.socket().idsOf(jid);
    return (await this.supervisor.inbox?.hasWritten(ids)) === true;
  }

  /** @param {string} jid @param {string} messageId @param {import('./requests.js').SendRequest} request */
  build(jid, messageId, request) {
    const session = {
      me: this.supervisor.credentials.creds.me?.id ?? '',
      upload: this.socket().upload,
      logger: libraryLogger(this.log),
      find: (/** @type {string} */ id) => this.message(id),
    };
    return this.asked('the message could not be prepared', () => encoded(jid, messageId, request, session));
  }

  /** @param {string} jid @param {string} messageId @param {Uint8Array} bytes @param {() => Promise<void>} onWire */
  async relay(jid, messageId, bytes, onWire) {
    await this.socket().relay(jid, messageId, bytes, onWire);
  }

  /** A message that was received or sent before. @param {string} id */
  async message(id) {
    const received = await this.supervisor.inbox?.find(id);
    if (received) return received;
    const record = await this.supervisor.outgoing?.findByMessageId(id);
    if (!record) return null;
    return { key: { remoteJid: record.to.jid, fromMe: true, id }, message: proto.Message.decode(Buffer.from(record.proto, 'base64')) };
  }

  /** Under what else WhatsApp knows these numbers. @param {string[]} jids @returns {Promise<string[]>} */
  async otherIdsOf(jids) {
    return [...(await this.store.read(NUMBERS_TABLE, jids)).values()];
  }

  /** That these have WhatsApp. @param {import('./person.js').Person} person @returns {Promise<number>} how many */
  async forget({ jids }) {
    const keys = [...(await this.store.read(NUMBERS_TABLE, [...jids])).keys()];
    await this.store.write(keys.map((key) => ({ table: NUMBERS_TABLE, key, value: null })));
    return keys.length;
  }

  /** Does the work while nothing is encrypted or decrypted. @template T @param {() => Promise<T>} work
   * @param {Set<string>} users whose ids are to lead nowhere then @returns {Promise<T>} */
  alone(work, users) {
    const { socket } = this.supervisor;
    return socket === null ? work() : socket.alone(work, users);
  }

  socket() {
    const fault = this.fault();
    if (fault !== null || this.supervisor.socket === null) throw fault ?? notNow('not_connected', 'WhatsApp is not connected', 2);
    return this.supervisor.socket;
  }

  /**
   * @template T
   * @param {string} fault
   * @param {() => Promise<T>} work
   */
  async asked(fault, work) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw this.fault() ?? notNow('not_sent', `${fault} (${said(error).slice(0, 200)})`, 3);
    }
  }
}
