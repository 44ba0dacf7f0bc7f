/**
 * Erases a person: nothing of them is left in the store, and nothing late comes back.
 *
 * A request of `POST /v1/people/erase` flows in, how much went flows out. Asked again it finds
 * nothing more; broken off, it is to be asked again. What WhatsApp itself keeps it cannot reach.
 */

import { jidNormalizedUser } from 'baileys';

import { Person } from './person.js';

/** @typedef {import('./requests.js').ErasureRequest} ErasureRequest */
/** @typedef {Record<'messages_out' | 'messages_in' | 'events' | 'numbers' | 'keys', number>} Counts */

export class Erasing {
  /**
   * @param {object} parts
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./erased.js').Erased} parts.erased
   * @param {import('./credentials.js').Credentials} parts.credentials
   * @param {import('./wire.js').SessionWire} parts.wire
   * @param {import('./outgoing.js').Outgoing} parts.outgoing
   * @param {import('./inbox.js').Inbox} parts.inbox
   * @param {import('./events.js').Events} parts.events
   * @param {import('./log.js').Log} parts.log
   */
  constructor({ store, erased, credentials, wire, outgoing, inbox, events, log }) {
    this.store = store;
    this.erased = erased;
    this.credentials = credentials;
    this.wire = wire;
    this.outgoing = outgoing;
    this.inbox = inbox;
    this.events = events;
    this.log = log;
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve();
  }

  /** One person after the other. @param {ErasureRequest} request @returns {Promise<Counts>} */
  erase(request) {
    const next = this.last.then(() => this.eraseNow(request));
    this.last = next.catch(() => {});
    return next;
  }

  /** @param {ErasureRequest} request @returns {Promise<Counts>} */
  async eraseNow({ jids, ids, beforeMs }) {
    const person = new Person({ jids: await this.idsOf(jids), ids, beforeMs });
    await this.erased.remember(person);
    const sent = await this.outgoing.records.idsTo(person);
    const others = sent.filter((id) => !person.ids.has(id));
    for (const id of others) person.ids.add(id);
    await this.erased.remember(new Person({ jids: [], ids: others, beforeMs }));
    const counts = {
      messages_out: await this.outgoing.erase(sent),
      messages_in: await this.inbox.erase(person),
      events: await this.events.erase(person),
      numbers: await this.wire.forget(person),
      // Last: by these the person's other ids are found, should this be broken off.
      keys: await this.wire.alone(() => this.credentials.forget(person.users), person.users),
    };
    await this.store.scrub();
    this.log.info('A person was erased', counts);
    return counts;
  }

  /** These ids and the others of the same person that are known here, the account's own left out.
   * @param {string[]} jids */
  async idsOf(jids) {
    const all = [...jids, ...(await this.wire.otherIdsOf(jids)), ...(await this.credentials.otherIdsOf(jids))];
    const { me } = this.credentials.creds;
    const own = [me?.id, me?.lid].filter(Boolean).map((jid) => jidNormalizedUser(jid));
    return new Set(all.filter((jid) => !own.includes(jid)));
  }
}
