/**
 * Whose records are to be erased: a person by their ids, and until when. Pure.
 *
 * What a caller names flows in, checked by `requests.js`; whether a record is this person's
 * flows out. Whatever is younger than `beforeMs` is somebody's who came anew.
 */

import { jidNormalizedUser } from 'baileys';

/** @typedef {import('./inbound.js').Chat} Chat */

export class Person {
  /**
   * @param {object} named
   * @param {Iterable<string>} named.jids `…@s.whatsapp.net` and `…@lid`
   * @param {Iterable<string>} named.ids callers' ids of messages to the person
   * @param {number} named.beforeMs
   */
  constructor({ jids, ids, beforeMs }) {
    this.jids = new Set(jids);
    this.ids = new Set(ids);
    this.beforeMs = beforeMs;
  }

  /** The part of each id before the `@`, as the library's keys have it. */
  get users() {
    return new Set([...this.jids].map((jid) => jid.split('@')[0]));
  }

  /** Whether it is one of the person's ids, of whichever device. @param {unknown} jid */
  has(jid) {
    return typeof jid === 'string' && this.jids.has(jidNormalizedUser(jid));
  }

  /** Whether that chat was theirs at that time. @param {Partial<Chat> | undefined} chat @param {number} atMs */
  spoke(chat, atMs) {
    if (chat === undefined || atMs > this.beforeMs) return false;
    return idsOf(chat).some((jid) => this.jids.has(jid));
  }

  /** @param {import('./records.js').Record} record */
  wasSent(record) {
    if (this.ids.has(record.id)) return true;
    return this.spoke({ jid: record.to.jid, phone: record.to.phone }, Date.parse(record.created_at));
  }

  /** Whether it tells of the person. @param {{type: string, created_at: string, data: any}} event */
  wasTold({ type, created_at, data }) {
    if (type === 'message.status') return this.ids.has(data.id);
    return this.spoke(data.chat, Date.parse(data.sent_at ?? data.at ?? created_at));
  }
}

/** All ids in a chat. @param {Partial<Chat>} chat @returns {string[]} */
export function idsOf({ jid, lid, phone }) {
  const number = phone ? `${phone.slice(1)}@s.whatsapp.net` : null;
  return [...new Set([jid, lid, number])].filter((one) => typeof one === 'string');
}
