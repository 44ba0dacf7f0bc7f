/**
 * The store in a folder, for a sidecar without a database: one append-only log, all tables in
 * memory.
 *
 * A batch is one line with its checksum, so it is there whole or not at all; its promise
 * resolves after the flush to the disk. The log is written anew when most of it is dead. A torn
 * end, left by a crash, is cut off (nobody was told that it was safe) and kept beside the log.
 */

import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { GroupCommit } from './group_commit.js';
import { LockFile } from './lock_file.js';
import { OwnerLost, StoreAway, lastOfEach } from './store.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Put} Put */
/** @typedef {{json: string, expiresAt: number}} Cell */

const COMPACT_FROM_BYTES = 4_000_000;
const SNAPSHOT_LINE_PUTS = 200;

/** @implements {Store} */
export class FileStore {
  kind = 'files';

  /**
   * @param {string} folder
   * @param {import('../log.js').Log} log
   * @param {{compactFromBytes?: number}} [options]
   */
  constructor(folder, log, { compactFromBytes = COMPACT_FROM_BYTES } = {}) {
    this.folder = folder;
    this.path = join(folder, 'store.log');
    this.log = log;
    this.compactFromBytes = compactFromBytes;
    this.lock = new LockFile(folder);
    this.commits = new GroupCommit((batches) => this.commit(batches));
    /** @type {Map<string, Map<string, Cell>>} */
    this.tables = new Map();
    /** @type {import('node:fs/promises').FileHandle | null} */
    this.file = null;
    this.bytes = 0;
    this.liveBytes = 0;
    this.broken = false;
    /** @type {Promise<void> | null} */
    this.compacting = null;
    /** @type {string[]} lines that a compaction under way has not seen */
    this.since = [];
  }

  async acquire() {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    chmodSync(this.folder, 0o700);
    if (!this.lock.take()) return false;
    if (this.file === null) await this.load();
    return true;
  }

  async renew() {
    if (!this.lock.touch()) throw new OwnerLost();
    if (this.broken) await this.mend();
  }

  async close() {
    await this.commits.write([]).catch(() => {});
    await this.compacting?.catch(() => {});
    await this.file?.close();
    this.file = null;
    this.lock.release();
  }

  /** @param {string} table @param {string[]} keys */
  async read(table, keys) {
    const cells = this.tables.get(table);
    const found = new Map();
    for (const key of keys) {
      const cell = cells?.get(key);
      if (cell !== undefined) found.set(key, JSON.parse(cell.json));
    }
    return found;
  }

  /** @param {string} table @param {{after?: string, limit?: number}} [options] */
  async scan(table, { after = '', limit = 1_000 } = {}) {
    const cells = this.tables.get(table) ?? new Map();
    const keys = [...cells.keys()].filter((key) => key > after).sort(byBytes);
    return keys.slice(0, limit).map((key) => ({ key, value: JSON.parse(cells.get(key).json) }));
  }

  /** @param {string} table */
  async count(table) {
    return this.tables.get(table)?.size ?? 0;
  }

  /** @param {string} table */
  async lastKey(table) {
    let last = null;
    for (const key of this.tables.get(table)?.keys() ?? []) if (last === null || key > last) last = key;
    return last;
  }

  /** @param {Put[]} puts */
  write(puts) {
    return this.commits.write(puts);
  }

  /** @param {number} now */
  async prune(now) {
    const dead = [];
    for (const [table, cells] of this.tables) {
      for (const [key, cell] of cells) if (cell.expiresAt <= now) dead.push({ table, key, value: null });
    }
    if (dead.length > 0) await this.write(dead);
    return dead.length;
  }

  async scrub() {
    if (this.file === null || this.broken) throw new StoreAway('its file is not open');
    try {
      await this.compacting?.catch(() => {});
      await this.compactNow();
      // What a crash had torn off was promised to nobody; it may be of anybody.
      const cut = (await readdir(this.folder)).filter((name) => name.startsWith('store.log.cut-'));
      await Promise.all(cut.map((name) => rm(join(this.folder, name), { force: true })));
    } catch (error) {
      throw error instanceof OwnerLost ? error : new StoreAway(error);
    }
  }

  /** @param {Put[][]} batches */
  async commit(batches) {
    if (this.file === null || this.broken) throw new StoreAway('its file is not open');
    if (!this.lock.isHeld()) throw new OwnerLost();
    const cells = batches.map((puts) => puts.map(asCell));
    const lines = cells.filter((puts) => puts.length > 0).map(asLine);
    if (lines.length === 0) return;
    const bytes = Buffer.from(lines.join(''));
    try {
      await this.file.appendFile(bytes);
      await this.file.datasync();
    } catch (error) {
      // What of it is on the disk is not known: the file is cut to what was promised.
      this.broken = true;
      throw new StoreAway(error);
    }
    this.bytes += bytes.length;
    for (const puts of cells) for (const put of puts) this.apply(put);
    if (this.compacting !== null) this.since.push(...lines);
    else if (this.bytes > this.compactFromBytes && this.bytes > 2 * this.liveBytes) {
      this.compactNow().catch((error) => this.log.warning('The store could not be written anew', { error: String(error) }));
    }
  }

  /** One at a time. */
  compactNow() {
    this.compacting ??= this.compact().finally(() => (this.compacting = null));
    return this.compacting;
  }

  async mend() {
    try {
      await this.file?.truncate(this.bytes);
      await this.file?.datasync();
      this.broken = false;
    } catch (error) {
      throw new StoreAway(error);
    }
  }

  /** @param {ReturnType<typeof asCell>} put */
  apply({ table, key, json, expiresAt }) {
    let cells = this.tables.get(table);
    if (cells === undefined) this.tables.set(table, (cells = new Map()));
    this.liveBytes -= size(key, cells.get(key));
    if (json === null) cells.delete(key);
    else cells.set(key, { json, expiresAt });
    this.liveBytes += size(key, cells.get(key));
  }

  async load() {
    let content = Buffer.alloc(0);
    try {
      content = readFileSync(this.path);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    }
    this.tables.clear();
    this.liveBytes = 0;
    let good = 0;
    for (let end = content.indexOf(10); end !== -1; end = content.indexOf(10, good)) {
      const puts = fromLine(content.toString('utf8', good, end));
      if (puts === null) break;
      for (const put of puts) this.apply(put);
      good = end + 1;
    }
    if (good < content.length) {
      const aside = `${this.path}.cut-${Date.now()}`;
      writeFileSync(aside, content.subarray(good), { mode: 0o600 });
      this.log.warning('The end of the store was torn and has been cut off', { bytes: content.length - good, kept_in: aside });
    }
    rmSync(`${this.path}.new`, { force: true });
    this.file = await open(this.path, 'a', 0o600);
    await this.file.truncate(good);
    await this.file.datasync();
    await syncFolder(this.folder);
    this.bytes = good;
  }

  async compact() {
    this.since = [];
    const draft = `${this.path}.new`;
    // References to strings that never change: taken at one moment, written at leisure.
    const all = [...this.tables].flatMap(([table, cells]) => [...cells].map(([key, cell]) => ({ table, key, ...cell })));
    const file = await open(draft, 'w', 0o600);
    let bytes = 0;
    try {
      for (let at = 0; at < all.length; at += SNAPSHOT_LINE_PUTS) {
        const line = Buffer.from(asLine(all.slice(at, at + SNAPSHOT_LINE_PUTS)));
        await file.appendFile(line);
        bytes += line.length;
      }
      // Commits that came meanwhile, until there is none: the last look and the change of
      // files are in one turn of the loop's queue of commits.
      await this.exclusively(async () => {
        const rest = Buffer.from(this.since.join(''));
        if (rest.length > 0) await file.appendFile(rest);
        await file.datasync();
        if (!this.lock.isHeld()) throw new OwnerLost();
        await rename(draft, this.path);
        await syncFolder(this.folder);
        await this.file?.close();
        this.file = await open(this.path, 'a', 0o600);
        this.bytes = bytes + rest.length;
      });
    } finally {
      await file.close();
    }
  }

  /** Runs it while no commit is under way. @param {() => Promise<void>} work */
  async exclusively(work) {
    const commit = this.commits.commit;
    await new Promise((resolve, reject) => {
      this.commits.commit = async (batches) => {
        this.commits.commit = commit;
        try {
          await work();
          resolve(undefined);
        } catch (error) {
          reject(error);
        }
        await commit(batches);
      };
      void this.commits.write([]);
    });
  }
}

/** @param {Put} put */
function asCell({ table, key, value, expiresAt = Infinity }) {
  return { table, key, json: value === null ? null : JSON.stringify(value), expiresAt };
}

/** @param {{table: string, key: string, json: string | null, expiresAt: number}[]} puts */
function asLine(puts) {
  const body = JSON.stringify(
    lastOfEach(puts).map(({ table, key, json, expiresAt }) =>
      Number.isFinite(expiresAt) ? [table, key, json, expiresAt] : [table, key, json],
    ),
  );
  return `${checksum(body)} ${body}\n`;
}

/** @param {string} line */
function fromLine(line) {
  const body = line.slice(9);
  if (line.slice(0, 9) !== `${checksum(body)} `) return null;
  const puts = /** @type {[string, string, string | null, number?][]} */ (JSON.parse(body));
  return puts.map(([table, key, json, expiresAt = Infinity]) => ({ table, key, json, expiresAt }));
}

const checksum = (/** @type {string} */ text) => createHash('sha1').update(text).digest('hex').slice(0, 8);
const size = (/** @type {string} */ key, /** @type {Cell | undefined} */ cell) => (cell ? key.length + cell.json.length : 0);
const byBytes = (/** @type {string} */ a, /** @type {string} */ b) => (a < b ? -1 : Number(a > b));

/** @param {string} folder */
async function syncFolder(folder) {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
