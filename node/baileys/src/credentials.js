/**
 * The session's credentials and Signal keys, kept in the store in the library's own contract.
 *
 * Values go in and out as the library has them (Buffers included). A write reaches the store
 * before the cache and fails loudly: a ratchet that goes on in memory alone is lost with the
 * process. Never logs any of it.
 */

import { BufferJSON, initAuthCreds, proto } from 'baileys';

import { KEPT_TYPE } from './signal.js';
import { entriesOf } from './store/store.js';

/** @typedef {import('baileys').AuthenticationCreds} Creds */
/** @typedef {import('./store/store.js').Store} Store */
/** @typedef {import('./store/store.js').Put} Put */

const CREDS_TABLE = 'credentials';
const KEYS_TABLE = 'signal_keys';
const ARCHIVE_TABLE = 'credentials_archive';
const ARCHIVE_MS = 90 * 86_400_000;
/** The types of keys whose ids name people. */
const PERSONAL = new Set(['session', 'identity-key', 'device-list', 'lid-mapping', 'tctoken']);
const CACHED_KEYS = 20_000;
const SCAN_STEP = 500;
/** Under this the library lists whom it has tokens of. */
const TOKENS_OF = '__index';

export class Credentials {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Map<string, any>} the oldest first */
    this.cache = new Map();
    /** @type {Creds} */
    this.creds = initAuthCreds();
    this.keys = {
      get: (/** @type {string} */ type, /** @type {string[]} */ ids) => this.get(type, ids),
      set: (/** @type {Record<string, Record<string, any>>} */ data) => this.set(data),
    };
  }

  /** Reads what is kept; what a pairing left half done is begun anew. */
  async load() {
    this.cache.clear();
    const kept = (await this.store.read(CREDS_TABLE, ['creds'])).get('creds');
    this.creds = kept === undefined ? initAuthCreds() : JSON.parse(JSON.stringify(kept), BufferJSON.reviver);
    // A pairing code sets `me` before anybody has typed it; the library would then log in as a
    // device that does not exist, and be refused as unlinked.
    if (this.creds.me !== undefined && !this.isPaired()) this.creds = initAuthCreds();
  }

  isPaired() {
    return this.creds.account !== undefined && this.creds.account !== null;
  }

  async save() {
    await this.store.write([{ table: CREDS_TABLE, key: 'creds', value: plain(this.creds) }]);
  }

  /** Puts the credentials aside (they are of no use to anybody) and begins with new ones.
   * @param {string} reason @param {number} now */
  async archive(reason, now) {
    /** @type {Put[]} */
    const puts = [
      {
        table: ARCHIVE_TABLE,
        key: new Date(now).toISOString(),
        value: { reason, creds: plain(this.creds) },
        expiresAt: now + ARCHIVE_MS,
      },
      { table: CREDS_TABLE, key: 'creds', value: null },
    ];
    for (let after = ''; ; ) {
      const entries = await this.store.scan(KEYS_TABLE, { after, limit: SCAN_STEP });
      puts.push(...entries.map(({ key }) => ({ table: KEYS_TABLE, key, value: null })));
      if (entries.length < SCAN_STEP) break;
      after = entries[entries.length - 1].key;
    }
    await this.store.write(puts);
    this.cache.clear();
    this.creds = initAuthCreds();
  }

  /** @param {string} type @param {string[]} ids @returns {Promise<Record<string, any>>} */
  async get(type, ids) {
    const missing = ids.filter((id) => !this.cache.has(`${type}/${id}`));
    if (missing.length > 0) {
      const found = await this.store.read(KEYS_TABLE, missing.map((id) => `${type}/${id}`));
      for (const id of missing) {
        const key = `${type}/${id}`;
        // Somebody may have written it while it was being read: theirs is newer.
        if (!this.cache.has(key)) this.remember(key, revived(type, found.get(key)));
      }
    }
    /** @type {Record<string, any>} */
    const values = {};
    for (const id of ids) {
      const value = this.cache.get(`${type}/${id}`);
      if (value !== undefined && value !== null) values[id] = value;
    }
    return values;
  }

  /** @param {Record<string, Record<string, any>>} data */
  async set({ [KEPT_TYPE]: kept = {}, ...data }) {
    const puts = Object.entries(data).flatMap(([type, values]) =>
      Object.entries(values ?? {}).map(([id, value]) => ({
        table: KEYS_TABLE,
        key: `${type}/${id}`,
        value: value === null || value === undefined ? null : plain(value),
      })),
    );
    await this.store.write([...puts, .../** @type {Put[]} */ (Object.values(kept))]);
    for (const [type, values] of Object.entries(data)) {
      for (const [id, value] of Object.entries(values ?? {})) this.remember(`${type}/${id}`, value ?? null);
    }
  }

  /** The numbers of LIDs and the LIDs of numbers, where either leads to the other.
   * @param {string[]} jids @returns {Promise<string[]>} */
  async otherIdsOf(jids) {
    const others = [];
    for (const jid of jids) {
      const [user, server] = jid.split('@');
      const there = server === 'lid' ? `${user}_reverse` : user;
      const other = (await this.get('lid-mapping', [there]))[there];
      if (other === undefined) continue;
      const back = server === 'lid' ? other : `${other}_reverse`;
      if ((await this.get('lid-mapping', [back]))[back] === user) {
        others.push(`${other}@${server === 'lid' ? 's.whatsapp.net' : 'lid'}`);
      }
    }
    return others;
  }

  /** Deletes all keys of these people: sessions, identities, devices, tokens, what leads from one
   * id to another. @param {Set<string>} users @returns {Promise<number>} how many */
  async forget(users) {
    /** @type {string[]} */
    const gone = [];
    for await (const { key, value } of entriesOf(this.store, KEYS_TABLE)) {
      const [type, id] = [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)];
      const isMapping = type === 'lid-mapping' && users.has(value);
      if (PERSONAL.has(type) && (isMapping || users.has(/** @type {string} */ (/^[^._:@]*/.exec(id)?.[0])))) gone.push(key);
    }
    await this.store.write(gone.map((key) => ({ table: KEYS_TABLE, key, value: null })));
    for (const key of gone) this.remember(key, null);
    await this.forgetTokens(users);
    return gone.length;
  }

  /** @param {Set<string>} users */
  async forgetTokens(users) {
    const { [TOKENS_OF]: index } = await this.get('tctoken', [TOKENS_OF]);
    if (!index?.token?.length) return;
    const listed = JSON.parse(Buffer.from(index.token).toString());
    const left = listed.filter((/** @type {string} */ jid) => !users.has(jid.split(/[:@]/)[0]));
    if (left.length === listed.length) return;
    await this.set({ tctoken: { [TOKENS_OF]: { ...index, token: Buffer.from(JSON.stringify(left)) } } });
  }

  /** @param {string} key @param {any} value */
  remember(key, value) {
    this.cache.delete(key);
    this.cache.set(key, value);
    if (this.cache.size > CACHED_KEYS) this.cache.delete(/** @type {string} */ (this.cache.keys().next().value));
  }
}

/** JSON without Buffers. @param {any} value */
const plain = (value) => JSON.parse(JSON.stringify(value, BufferJSON.replacer));

/** @param {string} type @param {any} value */
function revived(type, value) {
  if (value === undefined) return null;
  const whole = JSON.parse(JSON.stringify(value), BufferJSON.reviver);
  return type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(whole) : whole;
}
