/**
 * The life of the session: when it connects, and what state it is in.
 *
 * The shell around `session.js` (what a closing code means), `watchdog.js` (whether the socket
 * lives) and `ownership.js` (whether it may connect at all). It holds the one socket and the timers, tells of every change
 * of state by an event, and hands what comes in to the inbox and the outgoing messages.
 */

import { fault as socketFault, LOOK_EVERY_MS } from './watchdog.js';
import { NEW_CHATS_PAUSE_MS } from './caps.js';
import { said } from './log.js';
import { Ownership } from './ownership.js';
import { Problem, notNow } from './problems.js';
import * as machine from './session.js';
import { openSocket } from './socket.js';
import { OwnerLost, StoreAway } from './store/store.js';

/** @typedef {import('./session.js').State} State */
/** @typedef {import('./socket.js').Socket} Socket */
/** @typedef {{code: number | string | null, text: string}} Reason */

const STANDING_BY = { code: null, text: 'another process owns this session' };
const STORE_AWAY = { code: 'store_away', text: 'the store does not answer' };
const PRUNE_EVERY_MS = 3_600_000;
const FIRST_QR_MS = 60_000;
const NEXT_QR_MS = 20_000;

export class Supervisor {
  /**
   * @param {object} parts
   * @param {import('./config.js').Config} parts.config
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./credentials.js').Credentials} parts.credentials
   * @param {import('./log.js').Log} parts.log
   * @param {import('./metrics.js').Metrics} parts.metrics
   * @param {() => number} [parts.now]
   */
  constructor({ config, store, credentials, log, metrics, now = Date.now }) {
    this.config = config;
    this.store = store;
    this.credentials = credentials;
    this.log = log;
    this.metrics = metrics;
    this.now = now;
    /** @type {State} */
    this.state = 'standby';
    this.sinceMs = now();
    /** @type {Reason | null} */
    this.reason = null;
    /** @type {string | null} */
    this.advice = null;
    /** @type {number | null} */
    this.nextAttemptMs = null;
    this.past = machine.nothingPast();
    this.replacedMs = -Infinity;
    /** @type {Socket | null} */
    this.socket = null;
    /** @type {{text: string, expiresMs: number} | null} */
    this.qr = null;
    /** @type {number | null} */
    this.lastFrameMs = null;
    this.ownership = new Ownership({ store, log, tidings: this.tidings(), now });
    this.told = '';
    this.loggingOut = false;
    this.draining = false;
    /** @type {Promise<void>} */
    this.connecting = Promise.resolve();
    /** @type {Promise<void> | null} */
    this.saving = null;
    this.saveAgain = false;
    /** @type {Set<NodeJS.Timeout>} */
    this.timers = new Set();
    /** @type {NodeJS.Timeout | undefined} */
    this.retryTimer = undefined;
    /** @type {NodeJS.Timeout | undefined} */
    this.settleTimer = undefined;
  }

  /** @param {{events: import('./events.js').Events, outgoing: import('./outgoing.js').Outgoing,
   *   inbox: import('./inbox.js').Inbox, erased: import('./erased.js').Erased}} parts */
  use({ events, outgoing, inbox, erased }) {
    this.erased = erased;
    this.events = events;
    this.outgoing = outgoing;
    this.inbox = inbox;
  }

  start() {
    void this.ownership.run();
    this.timers.add(setInterval(() => this.look(), LOOK_EVERY_MS));
    this.timers.add(setInterval(() => this.prune(), PRUNE_EVERY_MS));
  }

  /** Ends what is under way, within that time. @param {number} withinMs */
  async stop(withinMs) {
    this.draining = this.ownership.ending = true;
    const deadline = this.now() + withinMs;
    this.set('draining', { code: null, text: 'the sidecar is being stopped' });
    for (const timer of this.timers) clearInterval(timer);
    clearTimeout(this.retryTimer);
    clearTimeout(this.settleTimer);
    if (this.socket !== null) await this.outgoing?.drain(withinMs * 0.6);
    this.socket?.close();
    while (this.socket !== null && this.now() < deadline) await pause(20);
    await this.inbox?.recover().catch(() => {});
    while ((this.events?.waiting ?? 0) > 0 && this.now() < deadline) await pause(50);
    await this.events?.stop();
    await this.store.close().catch((error) => this.log.warning('The store could not be closed', { error: said(error) }));
  }

  // --- ownership ------------------------------------------------------------------------------

  /** @returns {import('./ownership.js').Tidings} */
  tidings() {
    return {
      taking: async () => {
        await this.credentials.load();
        await this.erased?.start();
        await this.events?.start();
        await this.outgoing?.start();
        await this.inbox?.recover();
      },
      taken: () => void this.connect('this process owns the session'),
      standby: () => {
        if (this.reason?.text !== STANDING_BY.text) this.set('standby', STANDING_BY);
      },
      lost: () => {
        this.set('standby', { code: null, text: 'another process has taken the session over' });
        this.disconnect();
        void this.events?.stop();
      },
      away: () => {
        if (this.state === 'standby') this.reason = STORE_AWAY;
        else if (this.state !== 'draining' && this.reason?.code !== STORE_AWAY.code) this.set('paused', STORE_AWAY);
        this.disconnect();
      },
      back: async () => this.outgoing?.settleOwed(),
      fine: () => {
        if (this.state === 'paused' && !this.events?.full) this.connect('the store answers again');
      },
    };
  }

  // --- the connection -------------------------------------------------------------------------

  /** @param {string} why */
  connect(why) {
    clearTimeout(this.retryTimer);
    this.connecting = this.connecting
      .then(() => this.open(why))
      .catch((error) => {
        this.ownership.fault(error);
        if (!(error instanceof StoreAway || error instanceof OwnerLost)) {
          void this.closed({ code: null, transport: false, text: said(error) });
        }
      });
    return this.connecting;
  }

  /** @param {string} why */
  async open(why) {
    if (this.socket !== null || !this.ownership.held || this.draining) return;
    if (this.events?.full) {
      this.set('paused', { code: 'events_full', text: 'too many events wait for the API' });
      return;
    }
    // A pairing is followed by a restart at once: what it brought must be in the store first.
    await this.saving;
    await this.credentials.load();
    this.past.paired = this.credentials.isPaired();
    this.log.info('Connecting to WhatsApp', { why, attempt: this.past.attempt });
    this.nextAttemptMs = null;
    this.set('connecting', this.reason, this.advice);
    let qrs = 0;
    this.socket = openSocket(
      {
        credentials: this.credentials,
        config: this.config,
        log: this.log,
        sentBytes: async (messageId) => {
          const record = await this.outgoing?.findByMessageId(messageId);
          return record ? Buffer.from(record.proto, 'base64') : null;
        },
      },
      {
        qr: (text) => {
          qrs += 1;
          this.qr = { text, expiresMs: this.now() + (qrs === 1 ? FIRST_QR_MS : NEXT_QR_MS) };
          if (this.state !== 'pairing') {
            this.set('pairing', this.reason, 'Scan the QR code with the phone, under Linked devices, or ask for a pairing code.');
          }
        },
        open: () => this.opened(),
        closed: (ending) => void this.closed(ending),
        frame: () => (this.lastFrameMs = this.now()),
        arrived: (node) => this.inbox?.arrived(node),
        keep: (ciphertext, plaintext) => this.inbox?.keeping(ciphertext, plaintext) ?? null,
        messages: async (messages, whileAway) => {
          await this.inbox?.take(messages, whileAway);
          this.heedRoom();
        },
        acknowledged: async (messageId, errorCode) => void (await this.outgoing?.acknowledged(messageId, errorCode)),
        reached: async (messageIds, status) => {
          for (const messageId of messageIds) await this.outgoing?.reached(messageId, status);
          this.heedRoom();
        },
        restricted: (until) => this.restricted(until),
        credentials: () => this.save(),
        fault: (error) => this.ownership.fault(error),
      },
    );
  }

  opened() {
    this.qr = null;
    this.set('open', null);
    clearTimeout(this.settleTimer);
    this.settleTimer = setTimeout(() => {
      this.past = machine.nothingPast();
    }, machine.SETTLED_MS);
  }

  /** @param {import('./socket.js').Ending} ending */
  async closed(ending) {
    this.socket = null;
    this.qr = null;
    clearTimeout(this.settleTimer);
    const code = ending.code === null ? 'none' : String(ending.code);
    this.metrics.add('baileys_closings_total', { code: ending.transport ? 'transport' : code });
    this.log.info('The connection to WhatsApp has ended', { code, words: ending.text });
    try {
      await this.outgoing?.socketClosed();
      if (!this.draining) await this.inbox?.recover();
    } catch (error) {
      this.ownership.fault(error);
    }
    if (['paused', 'standby', 'draining', 'logged_out'].includes(this.state) && !this.loggingOut) return;
    if (this.loggingOut) return this.unlinked();
    this.past.paired = this.credentials.isPaired();
    this.past.wasReplaced = this.now() - this.replacedMs < machine.REPLACED_MEMORY_MS;
    const step = machine.afterClosing(ending, this.past, Math.random());
    this.past = machine.remembered(ending, this.past);
    if (ending.code === 440) this.replacedMs = this.now();
    this.nextAttemptMs = step.retryInMs === null ? null : this.now() + step.retryInMs;
    this.set(step.state, { code: ending.code, text: step.text }, step.advice);
    if (step.archive) {
      try {
        await this.credentials.archive(step.text, this.now());
        this.past = machine.nothingPast();
      } catch (error) {
        return this.ownership.fault(error);
      }
    }
    if (step.retryInMs !== null) {
      clearTimeout(this.retryTimer);
      this.retryTimer = setTimeout(() => this.connect(step.text), step.retryInMs);
    }
  }

  disconnect() {
    clearTimeout(this.retryTimer);
    this.nextAttemptMs = null;
    this.socket?.close();
  }

  /** Stops taking messages while the API takes no events. */
  heedRoom() {
    if (!this.events?.full || this.state === 'paused') return;
    this.log.error('Too many events wait for the API: WhatsApp keeps further messages', { waiting: this.events.waiting });
    this.set('paused', { code: 'events_full', text: 'too many events wait for the API' });
    this.disconnect();
  }

  look() {
    const seen = { state: this.state, sinceMs: this.sinceMs, lastFrameMs: this.lastFrameMs, nowMs: this.now() };
    const found = socketFault(seen);
    if (found === null || this.socket === null) return;
    this.log.warning('The watchdog closes the socket', { fault: found });
    this.metrics.add('baileys_watchdog_total', { fault: found });
    this.socket.close();
  }

  prune() {
    if (!this.ownership.held) return;
    this.store.prune(this.now()).catch((error) => this.log.warning('Old records could not be deleted', { error: said(error) }));
  }

  /** One save at a time; what changes meanwhile is saved after it. @returns {Promise<void>} */
  save() {
    if (this.saving !== null) {
      this.saveAgain = true;
      return this.saving;
    }
    this.saving = (async () => {
      do {
        this.saveAgain = false;
        await this.credentials.save();
      } while (this.saveAgain);
    })().finally(() => (this.saving = null));
    return this.saving;
  }

  /** @param {number | null} until */
  async restricted(until) {
    const end = until ?? this.now() + NEW_CHATS_PAUSE_MS;
    this.log.warning('WhatsApp allows no new chats', { until: new Date(end).toISOString() });
    await this.outgoing?.pauseNewChats(end);
    const data = { until: new Date(end).toISOString(), wa_code: until === null ? '463' : null };
    await this.events?.append([{ type: 'session.restricted', data }]);
  }

  // --- what people ask for --------------------------------------------------------------------

  /** Connects now, whatever it was waiting for. */
  begin() {
    if (this.draining) throw notNow('draining', 'the sidecar is being stopped', 10);
    if (this.socket !== null) return;
    this.past = machine.nothingPast();
    this.reason = null;
    this.connect('somebody asked for it');
  }

  async logout() {
    if (!this.ownership.held) throw notNow('not_connected', 'this process does not own the session', 10);
    this.loggingOut = true;
    clearTimeout(this.retryTimer);
    if (this.socket === null) return this.unlinked();
    try {
      if (this.state === 'open') await this.socket.logout();
      else this.socket.close();
    } catch (error) {
      this.log.warning('WhatsApp could not be told of the logout', { error: said(error) });
      this.socket?.close();
    }
  }

  async unlinked() {
    this.loggingOut = false;
    this.nextAttemptMs = null;
    await this.credentials.archive('logged out on request', this.now());
    this.past = machine.nothingPast();
    this.set('logged_out', { code: null, text: 'logged out on request' }, 'Start the session to pair a phone.');
  }

  /** @param {string} phone E.164 */
  async pairingCode(phone) {
    if (this.credentials.isPaired()) throw new Problem(409, 'wrong_state', 'a phone is paired already; log out first');
    if (this.socket === null || this.state !== 'pairing') {
      throw notNow('not_connected', 'there is no connection to WhatsApp yet', 2);
    }
    return this.socket.requestPairingCode(phone.slice(1));
  }

  view() {
    const me = this.credentials.creds.me;
    const iso = (/** @type {number | null | undefined} */ ms) => (ms ? new Date(ms).toISOString() : null);
    const paused = this.outgoing?.history.newChatsPausedUntil ?? 0;
    return {
      state: this.state,
      since: iso(this.sinceMs),
      account: this.accountView(me),
      last_frame_at: iso(this.lastFrameMs),
      last_inbound_at: iso(this.inbox?.lastInboundMs),
      reason: this.reason,
      advice: this.advice,
      next_attempt_at: iso(this.nextAttemptMs),
      attempt: this.past.attempt,
      new_chats_paused_until: paused > this.now() ? iso(paused) : null,
      events: { waiting: this.events?.waiting ?? 0, dead: this.events?.dead ?? 0, oldest_at: this.events?.oldestAt ?? null },
      store: this.store.kind,
      wa_version: this.config.waVersion?.join('.') ?? null,
    };
  }

  /** @param {import('baileys').Contact | undefined} me */
  accountView(me) {
    if (!this.credentials.isPaired() || !me?.id) return null;
    return { phone: `+${me.id.split(/[:@]/)[0]}`, lid: me.lid ? me.lid.replace(/:\d+@/, '@') : null, name: me.name ?? null };
  }

  /** @returns {string | null} the own number */
  account() {
    return this.accountView(this.credentials.creds.me)?.phone ?? null;
  }

  // --- states ---------------------------------------------------------------------------------

  /** @param {State} state @param {Reason | null} reason @param {string | null} [advice] */
  set(state, reason, advice = null) {
    this.state = state;
    this.sinceMs = this.now();
    this.reason = reason;
    this.advice = advice;
    const level = state === 'stopped' || state === 'failed' || state === 'logged_out' ? 'error' : 'info';
    this.log[level]('The session is now', { state, reason: reason?.text, advice });
    // A connection that comes about is told as `open`, one that does not as `waiting`, once.
    const tidings = `${state} ${reason?.code} ${advice}`;
    if (!this.ownership.held || this.events === undefined || state === 'connecting' || tidings === this.told) return;
    this.told = tidings;
    const { since, account } = this.view();
    const data = { state, since, reason, advice, account };
    this.events.append([{ type: 'session.state', data }]).catch((error) => {
      this.log.warning('A change of state could not be told', { state, error: said(error) });
    });
  }
}

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
