/**
 * The events for the API, kept until it has answered that they are safe with it.
 *
 * Events flow in as part of the batch that makes them true (an acknowledgement and its event
 * are written together or not at all); signed requests flow out, one at a time and in order.
 * Nothing is dropped: what is refused, or not taken for three days, is put aside as dead, and
 * at `max` waiting events the owner stops taking messages from WhatsApp.
 */

import { randomBytes } from 'node:crypto';

import { said } from './log.js';
import { signedHeaders } from './signing.js';
import { entriesOf } from './store/store.js';

/** @typedef {import('./store/store.js').Store} Store */
/** @typedef {import('./store/store.js').Put} Put */
/** @typedef {{type: string, data: Record<string, unknown>}} Happening */

const TABLE = 'events';
const DEAD_TABLE = 'events_dead';
export const DEAD_AFTER_MS = 3 * 86_400_000;
const DEAD_KEPT_MS = 30 * 86_400_000;
const ANSWER_WITHIN_MS = 10_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const LONGEST_ASKED_WAIT_S = 60;
const REFUSALS = new Set([400, 413, 422]);
const TRIES_OF_REFUSED = 5;
const STEP = 50;

/**
 * What an answer means for an event. Pure.
 * @param {number | null} status `null`: there was no answer
 * @param {number} tries this one included
 * @param {number} ageMs
 * @returns {'safe' | 'again' | 'dead'}
 */
export function verdict(status, tries, ageMs) {
  if (status !== null && status >= 200 && status < 300) return 'safe';
  if (status !== null && REFUSALS.has(status)) return tries >= TRIES_OF_REFUSED ? 'dead' : 'again';
  return ageMs >= DEAD_AFTER_MS ? 'dead' : 'again';
}

/** How long to wait after the n-th try. Pure. @param {number} tries @param {number} random 0 to 1 */
export function waitMs(tries, random) {
  return Math.round(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries - 1, 10)) * (0.5 + random));
}

export class Events {
  /**
   * @param {object} parts
   * @param {Store} parts.store
   * @param {string} parts.url
   * @param {Buffer} parts.key
   * @param {number} parts.max
   * @param {import('./log.js').Log} parts.log
   * @param {import('./metrics.js').Metrics} parts.metrics
   * @param {() => string | null} parts.account the own number
   * @param {() => void} parts.onRoom called when the queue has fallen to half of `max`
   * @param {() => number} [parts.now]
   */
  constructor({ store, url, key, max, log, metrics, account, onRoom, now = Date.now }) {
    this.store = store;
    this.url = url;
    this.key = key;
    this.max = max;
    this.log = log;
    this.metrics = metrics;
    this.account = account;
    this.onRoom = onRoom;
    this.now = now;
    this.sequence = 0;
    this.waiting = 0;
    this.dead = 0;
    this.full = false;
    /** @type {string | null} */
    this.oldestAt = null;
    /** Whether more came since the queue was last read: it may have come too late for that reading. */
    this.more = false;
    this.endPause = () => {};
    /** @type {Set<string>} keys of events that were erased since the queue was last read */
    this.withdrawn = new Set();
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve();
    this.stopping = new AbortController();
    /** @type {Promise<void> | null} */
    this.posting = null;
  }

  /** Reads where the queue stands and begins to post. */
  async start() {
    await this.stop();
    const last = [await this.store.lastKey(TABLE), await this.store.lastKey(DEAD_TABLE)].map(Number);
    this.sequence = Math.max(...last);
    this.waiting = await this.store.count(TABLE);
    this.dead = await this.store.count(DEAD_TABLE);
    this.full = this.waiting >= this.max;
    this.stopping = new AbortController();
    this.posting = this.post();
  }

  /** Ends the posting after the try that is under way. */
  async stop() {
    this.stopping.abort();
    this.wake();
    await this.posting;
    this.posting = null;
  }

  /**
   * Writes the puts and the events that come of them, in one batch.
   * @param {Happening[]} happenings
   * @param {Put[]} [puts]
   */
  async append(happenings, puts = []) {
    const events = happenings.map((happening) => this.put(happening));
    await this.store.write([...puts, ...events]);
    if (events.length === 0) return;
    this.waiting += events.length;
    if (this.waiting >= this.max) this.full = true;
    this.wake();
  }

  /** @param {Happening} happening @returns {Put} */
  put({ type, data }) {
    // In the order of their making, also when the clock goes back.
    this.sequence = Math.max(this.sequence + 1, this.now() * 1000);
    const id = `evt_${this.sequence.toString(36)}${randomBytes(6).toString('hex')}`;
    const created_at = new Date(this.now()).toISOString();
    const event = { id, type, created_at, account: this.account(), data };
    return { table: TABLE, key: String(this.sequence).padStart(17, '0'), value: event };
  }

  /** Dead events go back to the end of the queue. @returns {Promise<number>} how many */
  async retryDead() {
    let retried = 0;
    for (;;) {
      const some = await this.inTurn(() => this.retrySome());
      if (some === 0) return retried;
      retried += some;
    }
  }

  async retrySome() {
    const entries = await this.store.scan(DEAD_TABLE, { limit: STEP });
    /** @type {Put[]} */
    const puts = [];
    for (const { key, value } of entries) {
      this.sequence = Math.max(this.sequence + 1, this.now() * 1000);
      const again = { ...value, retried_at: new Date(this.now()).toISOString() };
      puts.push({ table: DEAD_TABLE, key, value: null });
      puts.push({ table: TABLE, key: String(this.sequence).padStart(17, '0'), value: again });
    }
    await this.store.write(puts);
    this.waiting += entries.length;
    this.dead -= entries.length;
    if (entries.length > 0) this.wake();
    return entries.length;
  }

  /** Deletes what tells of a person, waiting or dead; it is not posted again.
   * @param {import('./person.js').Person} person @returns {Promise<number>} how many */
  erase(person) {
    return this.inTurn(async () => {
      let erased = 0;
      for (const table of [TABLE, DEAD_TABLE]) {
        /** @type {string[]} */
        const keys = [];
        for await (const { key, value } of entriesOf(this.store, table)) if (person.wasTold(value)) keys.push(key);
        for (let at = 0; at < keys.length; at += STEP) await this.withdraw(table, keys.slice(at, at + STEP));
        erased += keys.length;
      }
      return erased;
    });
  }

  /** @param {string} table @param {string[]} keys */
  async withdraw(table, keys) {
    // One of them may be on its way at this moment: it is not tried again.
    for (const key of keys) this.withdrawn.add(key);
    await this.store.write(keys.map((key) => ({ table, key, value: null })));
    if (table === TABLE) this.fewer(keys.length);
    else this.dead -= keys.length;
  }

  async post() {
    const { signal } = this.stopping;
    let storeTries = 0;
    while (!signal.aborted) {
      try {
        const entries = await this.inTurn(() => {
          this.withdrawn.clear();
          this.more = false;
          return this.store.scan(TABLE, { limit: STEP });
        });
        storeTries = 0;
        this.oldestAt = entries[0]?.value.created_at ?? null;
        if (entries.length === 0) {
          await this.pause(60_000, true);
          continue;
        }
        for (const { key, value } of entries) {
          if (signal.aborted) return;
          this.oldestAt = value.created_at;
          await this.deliver(key, value);
        }
      } catch (error) {
        if (signal.aborted) return;
        storeTries += 1;
        this.log.warning('The queue of events could not go on', { error: said(error) });
        await this.pause(waitMs(storeTries, Math.random()), false);
      }
    }
  }

  /** @param {string} key @param {any} event */
  async deliver(key, event) {
    const { retried_at, ...told } = event;
    const body = JSON.stringify(told);
    for (let tries = 1; !this.stopping.signal.aborted && !this.withdrawn.has(key); tries += 1) {
      const { status, fault, askedWaitS } = await this.attempt(event.id, body);
      const ageMs = this.now() - Date.parse(retried_at ?? event.created_at);
      const fate = verdict(status, tries, ageMs);
      this.metrics.add('baileys_event_posts_total', { result: fate });
      if (fate === 'safe') {
        await this.remove(key, []);
        return;
      }
      if (tries === 1 || tries % 20 === 0 || fate === 'dead') {
        this.log.warning(fate === 'dead' ? 'An event is dead: the API did not take it' : 'The API did not take an event', {
          event: event.id,
          type: event.type,
          status,
          error: fault,
          tries,
          waiting: this.waiting,
        });
      }
      if (fate === 'dead') {
        const kept = { table: DEAD_TABLE, key, value: event, expiresAt: this.now() + DEAD_KEPT_MS };
        if (await this.remove(key, [kept])) this.dead += 1;
        return;
      }
      await this.pause(Math.max(waitMs(tries, Math.random()), askedWaitS * 1000), false);
    }
  }

  /** @param {string} key @param {Put[]} puts @returns {Promise<boolean>} false: it was withdrawn meanwhile */
  remove(key, puts) {
    return this.inTurn(async () => {
      if (this.withdrawn.has(key)) return false;
      await this.store.write([{ table: TABLE, key, value: null }, ...puts]);
      this.fewer(1);
      return true;
    });
  }

  /** @param {number} count */
  fewer(count) {
    this.waiting -= count;
    if (this.full && this.waiting <= this.max / 2) {
      this.full = false;
      this.onRoom();
    }
  }

  /** @param {string} id @param {string} body */
  async attempt(id, body) {
    try {
      const response = await fetch(this.url, {
        method: 'POST',
        body,
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          ...signedHeaders(this.key, id, Math.floor(this.now() / 1000), body),
        },
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      await response.body?.cancel();
      const asked = Number(response.headers.get('retry-after') ?? 0);
      return { status: response.status, fault: null, askedWaitS: asked >= 0 ? Math.min(asked, LONGEST_ASKED_WAIT_S) : 0 };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return { status: null, fault: said(cause), askedWaitS: 0 };
    }
  }

  /** What takes events out of the queue goes one after the other.
   * @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  inTurn(work) {
    const next = this.last.then(work);
    this.last = next.catch(() => {});
    return next;
  }

  /** There is more to post, or an end to be made. */
  wake() {
    this.more = true;
    this.endPause();
  }

  /** @param {number} ms @param {boolean} untilWoken */
  async pause(ms, untilWoken) {
    if (this.stopping.signal.aborted || (untilWoken && this.more)) return;
    await new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.stopping.signal.removeEventListener('abort', end);
        resolve(undefined);
      };
      const timer = setTimeout(end, ms);
      this.stopping.signal.addEventListener('abort', end);
      if (untilWoken) this.endPause = end;
    });
  }
}
