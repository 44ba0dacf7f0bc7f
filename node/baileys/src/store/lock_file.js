/**
 * One owner of a folder at a time, told by a file in it.
 *
 * The file holds who the owner is; its time says that it lives. It is taken over when its
 * process has certainly ended or has not touched it for the time of a lease. The owner looks
 * before each write whether the file is still its own.
 */

import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { hasEnded, ownIdentity } from './identity.js';
import { LEASE_MS } from './store.js';

export class LockFile {
  /** @param {string} folder @param {() => number} now Unix time in ms */
  constructor(folder, now = Date.now) {
    this.path = join(folder, 'owner');
    this.now = now;
    this.identity = ownIdentity();
    this.inode = -1;
  }

  /** @returns {boolean} whether this process is the owner now */
  take() {
    if (this.isHeld()) return true;
    const standing = this.standing();
    if (standing !== null) {
      if (!standing.free) return false;
      // Of two that take over at once, one moves the file away; the other finds another's there.
      const aside = `${this.path}.${randomUUID()}`;
      try {
        renameSync(this.path, aside);
        const moved = statSync(aside).ino;
        if (moved !== standing.inode) restore(aside, this.path);
        rmSync(aside, { force: true });
        if (moved !== standing.inode) return false;
      } catch {
        return false;
      }
    }
    const draft = `${this.path}.${randomUUID()}`;
    writeFileSync(draft, JSON.stringify(this.identity), { mode: 0o600 });
    try {
      linkSync(draft, this.path);
      this.inode = statSync(draft).ino;
      return true;
    } catch {
      return false;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /** Whether the file is still this process's own. */
  isHeld() {
    try {
      return this.inode !== -1 && statSync(this.path).ino === this.inode;
    } catch {
      return false;
    }
  }

  touch() {
    if (!this.isHeld()) return false;
    const seconds = this.now() / 1000;
    utimesSync(this.path, seconds, seconds);
    return true;
  }

  release() {
    if (this.isHeld()) rmSync(this.path, { force: true });
    this.inode = -1;
  }

  standing() {
    try {
      const { ino, mtimeMs } = statSync(this.path);
      const stale = this.now() - mtimeMs > LEASE_MS;
      return { inode: ino, free: stale || hasEnded(JSON.parse(readFileSync(this.path, 'utf8'))) };
    } catch (error) {
      if (error instanceof SyntaxError) return { inode: statSync(this.path).ino, free: false };
      return null;
    }
  }
}

/** @param {string} from @param {string} to */
function restore(from, to) {
  try {
    linkSync(from, to);
  } catch {
    // Somebody else's is there already: theirs it is.
  }
}
