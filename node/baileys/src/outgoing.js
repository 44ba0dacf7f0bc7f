/**
 * Messages out, each at most once whatever dies.
 *
 * Requests flow in; records with a status flow out. A message is recorded before anything is
 * done, marked `sending` in the store before its frame leaves (never later, hardly earlier),
 * and after that never sent again: what a crash leaves marked is `unknown` until a receipt
 * tells. How far each has come is in `records.js`.
 */

import * as caps from './caps.js';
import { KeyedQueue } from './keyed_queue.js';
import { said } from './log.js';
import { Problem, gone, notNow } from './problems.js';
import { Records, messageIdOf } from './records.js';

/** @typedef {import('./requests.js').SendRequest} SendRequest */
/** @typedef {import('./records.js').Record} Record */
/** @typedef {import('./records.js').Status} Status */

/**
 * @typedef {object} Wire what carries messages; `wire.js` fulfils it
 * @property {() => Problem | null} fault why nothing can be sent now
 * @property {(to: SendRequest['to']) => Promise<string | null>} find the WhatsApp id of a number, `null`: it has none
 * @property {(to: SendRequest['to']) => Promise<boolean>} hasWritten whether that person has ever written to us
 * @property {(jid: string, messageId: string, request: SendRequest) => Promise<Uint8Array>} build the message's bytes; files are uploaded here
 * @property {(jid: string, messageId: string, bytes: Uint8Array, onWire: () => Promise<void>) => Promise<void>} relay
 *   `onWire` is awaited before the frame leaves; throws `NotSent` when it certainly has not left
 *
 * @typedef {object} Job a message that is being sent
 * @property {string} fingerprint
 * @property {string} messageId
 * @property {Record} asked how it stands until it is recorded
 * @property {Promise<Record>} ready resolves when it is on the wire, or was before
 * @property {Record | null} record
 * @property {boolean} onWire
 * @property {(() => void)[]} settled called once its fate is known
 * @property {NodeJS.Timeout | null} timer
 * @property {boolean} done
 */

const CAPS_TABLE = 'caps';
const ACK_WITHIN_MS = 60_000;
const RELAY_WITHIN_MS = 45_000;
const LONGEST_PACE_MS = 15_000;
const MAX_JOBS = 2_000;
const MAX_PER_CONTACT = 50;
const ERASED_AT_ONCE = 200;

/** The frame has certainly not left. */
export class NotSent extends Error {}

export class Outgoing {
  /**
   * @param {object} parts
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./events.js').Events} parts.events
   * @param {Wire} parts.wire
   * @param {caps.Limits} parts.limits
   * @param {import('./erased.js').Erased} parts.erased
   * @param {import('./log.js').Log} parts.log
   * @param {import('./metrics.js').Metrics} parts.metrics
   * @param {() => number} [parts.now]
   * @param {() => number} [parts.random]
   * @param {number} [parts.ackWithinMs]
   */
  constructor({ store, events, wire, limits, erased, log, metrics, now = Date.now, random = Math.random, ackWithinMs = ACK_WITHIN_MS }) {
    this.store = store;
    this.wire = wire;
    this.limits = limits;
    this.erased = erased;
    this.log = log;
    this.now = now;
    this.random = random;
    this.ackWithinMs = ackWithinMs;
    this.history = caps.noHistory();
    /** @type {Map<string, Job>} by the caller's id */
    this.jobs = new Map();
    this.records = new Records({
      store,
      events,
      metrics,
      onFate: (record) => this.fate(record),
      inUse: (id) => this.jobs.has(id),
      erased,
      now,
    });
    this.contacts = new KeyedQueue();
    this.draining = false;
  }

  /** After becoming the owner. */
  async start() {
    this.history = (await this.store.read(CAPS_TABLE, ['history'])).get('history') ?? caps.noHistory();
    await this.records.start();
  }

  /** @param {SendRequest} request @returns {Promise<Record>} Throws `Problem`. */
  async send(request) {
    const deadline = this.now() + request.waitMs;
    const known = this.records.recent.get(request.id);
    let job = this.jobs.get(request.id);
    if (job === undefined && known !== undefined && !this.records.mayBeSent(known)) return same(known, request);
    if (job === undefined) {
      if (this.draining) throw notNow('draining', 'the sidecar is being stopped', 10);
      if (this.jobs.size >= MAX_JOBS || this.contacts.size(request.to.jid) >= MAX_PER_CONTACT) {
        throw notNow('busy', 'too many messages are being sent', 2);
      }
      job = this.begin(request);
    }
    if (job.fingerprint !== request.fingerprint) throw otherBody();
    // The gap before it, or a slow answer of WhatsApp, may last longer than anybody waits: the job goes on.
    if (!(await within(job.ready, Math.max(0, deadline - this.now())))) {
      if (this.erased.has(request.id)) throw gone();
      return same(this.records.recent.get(request.id) ?? job.asked, request);
    }
    const record = same(await job.ready, request);
    await this.settled(job, deadline - this.now());
    return this.records.recent.get(request.id) ?? job.record ?? record;
  }

  /** @param {string} id @returns {Promise<Record | null>} Throws `Problem` for one that was erased. */
  async find(id) {
    if (this.erased.has(id)) throw gone();
    return (await this.records.find(id)) ?? this.jobs.get(id)?.asked ?? null;
  }

  /** Whether what is to be known of it is still to come, without anybody asking for it again. @param {string} id */
  isUnderWay(id) {
    return this.jobs.has(id);
  }

  /** Deletes the messages of these ids, which are known as erased, whatever becomes of them.
   * @param {string[]} ids @returns {Promise<number>} how many */
  async erase(ids) {
    for (let at = 0; at < ids.length; at += ERASED_AT_ONCE) {
      await Promise.all(ids.slice(at, at + ERASED_AT_ONCE).map((id) => this.records.erase(id)));
    }
    for (const [id, job] of this.jobs) if (job.onWire && this.erased.has(id)) this.finish(id, job);
    return ids.length;
  }

  /** By its id on WhatsApp. @param {string} messageId */
  findByMessageId(messageId) {
    return this.records.findByMessageId(messageId);
  }

  /** WhatsApp's server has answered for a message. @param {string} messageId @param {string | null} errorCode */
  async acknowledged(messageId, errorCode) {
    if (errorCode === null) return this.reached(messageId, 'sent');
    const record = await this.findByMessageId(messageId);
    if (record === null) return false;
    const detail = errorCode === '463' ? 'WhatsApp allows this account no new chats now' : 'WhatsApp refused the message';
    return this.records.raise(record.id, 'failed', { code: 'refused', wa_code: errorCode, detail });
  }

  /** A receipt or an update tells how far a message has come. @param {string} messageId @param {Status} status
   * @returns {Promise<boolean>} whether it is one of ours */
  async reached(messageId, status) {
    const record = await this.findByMessageId(messageId);
    if (record === null) return false;
    await this.records.raise(record.id, status);
    return true;
  }

  /** The socket has ended: nobody knows what became of what was on it. */
  async socketClosed() {
    const lost = [...this.jobs].filter(([, job]) => job.onWire);
    await Promise.allSettled(lost.map(([id]) => this.records.raise(id, 'unknown')));
  }

  /** The store is back. */
  settleOwed() {
    return this.records.settleOwed();
  }

  /** No new chats until then. @param {number} until */
  async pauseNewChats(until) {
    this.history = caps.pauseNewChats(this.history, until);
    await this.store.write([this.historyPut()]);
  }

  /** Refuses new messages and waits for those that are being sent. @param {number} withinMs */
  async drain(withinMs) {
    this.draining = true;
    const all = [...this.jobs.values()].map(async (job) => {
      await job.ready.catch(() => {});
      await this.settled(job, withinMs);
    });
    await within(Promise.allSettled(all), withinMs);
  }

  // --- one message ----------------------------------------------------------------------------

  /** @param {SendRequest} request @returns {Job} */
  begin(request) {
    const messageId = messageIdOf(request.id);
    const now = new Date(this.now()).toISOString();
    /** @type {Job} */
    const job = {
      fingerprint: request.fingerprint,
      messageId,
      asked: {
        id: request.id,
        message_id: messageId,
        fingerprint: request.fingerprint,
        to: { jid: request.to.jid, phone: request.to.phone },
        status: 'queued',
        error: null,
        proto: '',
        created_at: now,
        updated_at: now,
      },
      ready: Promise.resolve(/** @type {any} */ (null)),
      record: null,
      onWire: false,
      settled: [],
      timer: null,
      done: false,
    };
    this.jobs.set(request.id, job);
    job.ready = this.contacts
      .run(request.to.jid, () => this.process(request, job))
      .then((record) => {
        if (this.records.recent.get(request.id)?.status !== 'sending') this.finish(request.id, job);
        return record;
      })
      .catch((error) => {
        this.finish(request.id, job);
        throw error;
      });
    // Somebody may have gone away; the job goes on.
    job.ready.catch(() => {});
    return job;
  }

  /** @param {SendRequest} request @param {Job} job @returns {Promise<Record>} */
  async process(request, job) {
    if (this.erased.has(request.id)) throw gone();
    let record = await this.records.find(request.id);
    if (record !== null) {
      same(record, request);
      if (!this.records.mayBeSent(record)) return record;
    }
    const fault = this.wire.fault();
    if (fault !== null) throw fault;
    record ??= await this.record(request, job);
    return this.put(record, job);
  }

  /** @param {SendRequest} request @param {Job} job @returns {Promise<Record>} */
  async record(request, job) {
    const jid = await this.wire.find(request.to);
    if (jid === null) throw new Problem(422, 'not_on_whatsapp', 'this number has no WhatsApp');
    const newChat = !(await this.wire.hasWritten(request.to));
    const decision = caps.decide(this.history, this.limits, { now: this.now(), newChat, random: this.random() });
    if (!decision.allowed) {
      throw new Problem(429, decision.code, 'sending more now would put the account at risk', { retryAfterS: decision.retryAfterS });
    }
    const waitMs = decision.at - this.now();
    if (waitMs > LONGEST_PACE_MS) {
      // Half of those that wait have left then: nobody is to come again for each single place.
      const retryAfterS = Math.ceil((waitMs - LONGEST_PACE_MS / 2) / 1000);
      throw new Problem(429, 'pace', 'messages are sent one after another, with gaps', { retryAfterS });
    }
    this.history = decision.history;
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const bytes = await this.wire.build(jid, job.messageId, request);
    const now = new Date(this.now()).toISOString();
    /** @type {Record} */
    const record = {
      ...job.asked,
      to: { jid, phone: request.to.phone },
      proto: Buffer.from(bytes).toString('base64'),
      created_at: now,
      updated_at: now,
    };
    await this.records.add(record, [this.historyPut()]);
    return record;
  }

  /** @param {Record} record @param {Job} job @returns {Promise<Record>} */
  async put(record, job) {
    let tooLate = false;
    /** @type {Promise<unknown> | null} */
    let marking = null;
    const onWire = async () => {
      if (tooLate) throw new NotSent('the time for it has run out');
      marking ??= this.mark(record, job);
      await marking;
    };
    const bytes = Buffer.from(record.proto, 'base64');
    const relayed = this.wire.relay(record.to.jid, record.message_id, bytes, onWire);
    try {
      if (!(await within(relayed, RELAY_WITHIN_MS)) && !job.onWire) {
        tooLate = true;
        relayed.catch(() => {});
        throw new NotSent('it did not get to the socket in time');
      }
      if (!job.onWire) await onWire();
    } catch (error) {
      if (!job.onWire || error instanceof NotSent) {
        await this.takeBack(record.id, job);
        this.log.warning('A message was not sent', { message: record.message_id, error: said(error) });
        throw this.wire.fault() ?? notNow('not_sent', `the message could not be handed over (${said(error).slice(0, 200)})`, 5);
      }
      this.log.warning('The socket died under a message', { message: record.message_id, error: said(error) });
      // When that cannot be kept now, it is owed; the answer is the same.
      await this.records.raise(record.id, 'unknown').catch(() => {});
      if (this.records.owed.has(record.id)) return { ...record, status: 'unknown' };
    }
    return this.records.recent.get(record.id) ?? record;
  }

  /** From here on it may be on the wire. @param {Record} record @param {Job} job */
  async mark(record, job) {
    try {
      await this.records.mark(record.id);
    } catch (error) {
      throw new NotSent(said(error));
    }
    job.onWire = true;
    job.timer = setTimeout(() => {
      this.records.raise(record.id, 'unknown').catch((error) => this.log.warning('A status could not be kept', { error: said(error) }));
    }, this.ackWithinMs);
  }

  /** It certainly did not leave: a repetition may send it. @param {string} id @param {Job} job */
  async takeBack(id, job) {
    job.onWire = false;
    await this.records.takeBack(id).catch((error) => this.log.warning('A status could not be kept', { error: said(error) }));
  }

  // --- how it ends ----------------------------------------------------------------------------

  /** @param {Record} record */
  fate(record) {
    const job = this.jobs.get(record.id);
    if (job === undefined) return;
    job.record = record;
    this.finish(record.id, job);
  }

  /** @param {string} id @param {Job} job */
  finish(id, job) {
    if (job.timer !== null) clearTimeout(job.timer);
    job.done = true;
    if (this.jobs.get(id) === job) this.jobs.delete(id);
    for (const tell of job.settled.splice(0)) tell();
  }

  /** Waits until its fate is known, or that long. @param {Job} job @param {number} ms */
  settled(job, ms) {
    if (job.done) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      job.settled.push(() => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  }

  /** @returns {import('./store/store.js').Put} */
  historyPut() {
    return { table: CAPS_TABLE, key: 'history', value: this.history };
  }
}

/** @param {Record} record @param {SendRequest} request */
function same(record, request) {
  if (record.fingerprint !== request.fingerprint) throw otherBody();
  return record;
}

const otherBody = () => new Problem(409, 'other_body', 'this id was used with another body');

/** Whether it ended in that time. @param {Promise<unknown>} work @param {number} ms */
async function within(work, ms) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  try {
    return (await Promise.race([work.then(() => true), late])) === true;
  } finally {
    clearTimeout(timer);
  }
}
