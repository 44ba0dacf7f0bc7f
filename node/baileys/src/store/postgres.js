/**
 * The store in PostgreSQL: one table of records, one row that says who owns the session.
 *
 * Ownership is a lease with a counter. Every write carries the counter and locks the lease's row
 * in the same statement: whoever has lost the session writes nothing, however late it wakes.
 * No session state (LISTEN, advisory locks held over time) is used, so poolers do no harm.
 */

import pg from 'pg';

import { GroupCommit } from './group_commit.js';
import { hasEnded, ownIdentity } from './identity.js';
import { LEASE_MS, OwnerLost, StoreAway, lastOfEach } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Put} Put */

const SESSION = 'default';
const CONNECT_TIMEOUT_MS = 3_000;
const QUERY_TIMEOUT_MS = 8_000;

const TABLES = `
SELECT pg_advisory_xact_lock(hashtext('whatsapp_sidecar'));
CREATE SCHEMA IF NOT EXISTS whatsapp_sidecar;
CREATE TABLE IF NOT EXISTS whatsapp_sidecar.lease (
  session text PRIMARY KEY,
  owner jsonb NOT NULL,
  epoch bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS whatsapp_sidecar.records (
  tab text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  expires_at timestamptz,
  PRIMARY KEY (tab, key)
);
CREATE INDEX IF NOT EXISTS records_expiry ON whatsapp_sidecar.records (expires_at) WHERE expires_at IS NOT NULL;
`;

const ACQUIRE = `
INSERT INTO whatsapp_sidecar.lease AS held (session, owner, epoch, expires_at)
VALUES ($1, $2, 1, now() + $3 * interval '1 ms')
ON CONFLICT (session) DO UPDATE
SET owner = excluded.owner, epoch = held.epoch + 1, expires_at = excluded.expires_at
WHERE held.expires_at < now() OR held.owner ->> 'id' = $4
RETURNING epoch`;

const RENEW = `
UPDATE whatsapp_sidecar.lease SET expires_at = now() + $3 * interval '1 ms'
WHERE session = $1 AND epoch = $2`;

const WRITE = `
WITH fence AS (
  SELECT FROM whatsapp_sidecar.lease WHERE session = $1 AND epoch = $2 FOR SHARE
), puts AS (
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::double precision[]) AS put (tab, key, value, expires_ms)
), put AS (
  INSERT INTO whatsapp_sidecar.records (tab, key, value, expires_at)
  SELECT tab, key, value, to_timestamp(expires_ms / 1000) FROM puts, fence WHERE value IS NOT NULL
  ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
), gone AS (
  DELETE FROM whatsapp_sidecar.records AS record USING puts, fence
  WHERE puts.value IS NULL AND record.tab = puts.tab AND record.key = puts.key
)
SELECT count(*)::int AS owned FROM fence`;

const PRUNE = `
WITH fence AS (
  SELECT FROM whatsapp_sidecar.lease WHERE session = $1 AND epoch = $2 FOR SHARE
)
DELETE FROM whatsapp_sidecar.records WHERE expires_at < to_timestamp($3::double precision / 1000) AND EXISTS (SELECT FROM fence)`;

/** @implements {Store} */
export class PostgresStore {
  kind = 'postgres';

  /**
   * @param {string} url
   * @param {import('../log.js').Log} log
   */
  constructor(url, log) {
    this.log = log;
    this.identity = ownIdentity();
    this.epoch = '';
    this.prepared = false;
    this.commits = new GroupCommit((batches) => this.commit(batches.flat()));
    this.pool = new pg.Pool({
      connectionString: url,
      max: 4,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      statement_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'voiceagent-baileys',
    });
    // An idle connection that dies is an event of the pool; unheard, it would end the process.
    this.pool.on('error', () => {});
  }

  async acquire() {
    if (!this.prepared) {
      await this.query(TABLES);
      this.prepared = true;
    }
    const me = [SESSION, JSON.stringify(this.identity), LEASE_MS, this.identity.id];
    let taken = await this.query(ACQUIRE, me);
    if (taken.rowCount === 0 && (await this.freeDeadLease())) taken = await this.query(ACQUIRE, me);
    if (taken.rowCount === 0) return false;
    this.epoch = taken.rows[0].epoch;
    return true;
  }

  /** Lets go of the lease of a process that has certainly ended: no need to wait for its time. */
  async freeDeadLease() {
    const held = await this.query('SELECT owner, epoch FROM whatsapp_sidecar.lease WHERE session = $1', [SESSION]);
    const [lease] = held.rows;
    if (lease === undefined || !hasEnded(lease.owner)) return false;
    const freed = await this.query(
      `UPDATE whatsapp_sidecar.lease SET expires_at = now() - interval '1 s' WHERE session = $1 AND epoch = $2`,
      [SESSION, lease.epoch],
    );
    return freed.rowCount === 1;
  }

  async renew() {
    const renewed = await this.query(RENEW, [SESSION, this.epoch, LEASE_MS]);
    if (renewed.rowCount === 0) throw new OwnerLost();
  }

  async close() {
    await this.commits.write([]).catch(() => {});
    if (this.epoch) await this.query(RENEW, [SESSION, this.epoch, -1]).catch(() => {});
    await this.pool.end();
  }

  /** @param {string} table @param {string[]} keys */
  async read(table, keys) {
    if (keys.length === 0) return new Map();
    const asked = new Map(keys.map((key) => [writable(key), key]));
    const found = await this.query(
      'SELECT key, value FROM whatsapp_sidecar.records WHERE tab = $1 AND key = ANY($2::text[])',
      [table, [...asked.keys()]],
    );
    return new Map(found.rows.map(({ key, value }) => [asked.get(key) ?? key, JSON.parse(value)]));
  }

  /** @param {string} table @param {{after?: string, limit?: number}} [options] */
  async scan(table, { after = '', limit = 1_000 } = {}) {
    const found = await this.query(
      'SELECT key, value FROM whatsapp_sidecar.records WHERE tab = $1 AND key > $2 ORDER BY key LIMIT $3',
      [table, after, limit],
    );
    return found.rows.map(({ key, value }) => ({ key, value: JSON.parse(value) }));
  }

  /** @param {string} table */
  async count(table) {
    const counted = await this.query('SELECT count(*)::int AS n FROM whatsapp_sidecar.records WHERE tab = $1', [table]);
    return counted.rows[0].n;
  }

  /** @param {string} table */
  async lastKey(table) {
    const last = await this.query('SELECT max(key) AS key FROM whatsapp_sidecar.records WHERE tab = $1', [table]);
    return last.rows[0].key;
  }

  /** @param {Put[]} puts */
  write(puts) {
    return this.commits.write(puts);
  }

  /** @param {number} now */
  async prune(now) {
    return (await this.query(PRUNE, [SESSION, this.epoch, now])).rowCount ?? 0;
  }

  /** The database does that by itself, in its own time: a vacuum, and its log's going round. */
  async scrub() {}

  /** @param {Put[]} all */
  async commit(all) {
    if (all.length === 0) return;
    const puts = lastOfEach(all.map((put) => ({ ...put, key: writable(put.key) })));
    const written = await this.query(WRITE, [
      SESSION,
      this.epoch || '0',
      puts.map((put) => put.table),
      puts.map((put) => put.key),
      puts.map((put) => (put.value === null ? null : JSON.stringify(put.value))),
      puts.map((put) => put.expiresAt ?? null),
    ]);
    if (written.rows[0].owned !== 1) throw new OwnerLost();
  }

  /** @param {string} statement @param {unknown[]} [values] */
  async query(statement, values) {
    try {
      return await this.pool.query(statement, values);
    } catch (error) {
      throw new StoreAway(error);
    }
  }
}

/** The key as PostgreSQL can hold it, with no NUL and no half sign: whoever writes to us names the
 * message. @param {string} key */
const writable = (key) => Buffer.from(key.replaceAll('\0', '\ufffd')).toString();
