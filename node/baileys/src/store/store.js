/**
 * The port to what must survive: ordered tables of JSON values, owned by one process at a time.
 *
 * A write is a batch that is applied whole or not at all, is on the disk when its promise
 * resolves, and fails when another process has become the owner (a second writer would ruin
 * the Signal ratchets). Two adapters, one behaviour: `files.js` and `postgres.js`.
 *
 * @typedef {object} Put
 * @property {string} table
 * @property {string} key at most 300 characters; tables are in the order of their keys
 * @property {unknown} value anything that JSON carries; `null` deletes
 * @property {number} [expiresAt] Unix time in ms after which `prune` may delete it
 *
 * @typedef {{key: string, value: any}} Entry
 *
 * @typedef {object} Store
 * @property {string} kind `files` or `postgres`
 * @property {() => Promise<boolean>} acquire Become the owner; false while another process is
 * @property {() => Promise<void>} renew Stay the owner; throws `OwnerLost` or `StoreAway`
 * @property {() => Promise<void>} close Give the ownership up and close
 * @property {(table: string, keys: string[]) => Promise<Map<string, any>>} read Missing keys are left out
 * @property {(table: string, options?: {after?: string, limit?: number}) => Promise<Entry[]>} scan
 * @property {(table: string) => Promise<number>} count
 * @property {(table: string) => Promise<string | null>} lastKey
 * @property {(puts: Put[]) => Promise<void>} write Throws `OwnerLost` or `StoreAway`
 * @property {(now: number) => Promise<number>} prune Deletes what has expired; how many
 * @property {() => Promise<void>} scrub What was deleted is gone from the files as well, as far as
 *   this process can see to that. Throws `OwnerLost` or `StoreAway`
 */

export const RENEW_EVERY_MS = 3_000;
/** How long an owner that does not renew is still believed to live. */
export const LEASE_MS = 15_000;

/** Another process owns the session now; nothing more may be written by this one. */
export class OwnerLost extends Error {
  constructor() {
    super('another process owns this WhatsApp session');
    this.name = 'OwnerLost';
  }
}

/** The store cannot be reached or does not answer; later it may. */
export class StoreAway extends Error {
  /** @param {unknown} cause */
  constructor(cause) {
    const why = cause instanceof Error ? cause.message || /** @type {any} */ (cause).code : String(cause);
    super(`the store does not answer (${why})`, { cause });
    this.name = 'StoreAway';
  }
}

/**
 * All entries of a table, in their order, read in steps.
 * @param {Store} store
 * @param {string} table
 * @param {number} [step]
 * @returns {AsyncGenerator<Entry, void>}
 */
export async function* entriesOf(store, table, step = 2_000) {
  for (let after = ''; ; ) {
    const entries = await store.scan(table, { after, limit: step });
    yield* entries;
    if (entries.length < step) return;
    after = entries[entries.length - 1].key;
    // A store in memory answers at once: others have their turn as well.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * The last put of each key, in order: what a batch comes to.
 * @template {{table: string, key: string}} P
 * @param {P[]} puts
 */
export function lastOfEach(puts) {
  /** @type {Map<string, P>} */
  const last = new Map();
  for (const put of puts) last.set(`${put.table}\0${put.key}`, put);
  return [...last.values()];
}
