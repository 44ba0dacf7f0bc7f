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
    this.content = JSON.stringify(ownIdentity());
  }

  /** @returns {boolean} whether this process is the owner now */
  take() {
    if (this.isHeld()) return true;
    const standing = this.standing();
    if (standing !== null && !(standing.free && this.moveAway(standing.content))) return false;
    const draft = `${this.path}.${randomUUID()}`;
    writeFileSync(draft, this.content, { mode: 0o600 });
    try {
      // A link fails when the name is taken: of two that come at once, one is the owner.
      linkSync(draft, this.path);
      return true;
    } catch {
      return false;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /** Whether the file is still this process's own. */
  isHeld() {
    return contentOf(this.path) === this.content;
  }

  touch() {
    if (!this.isHeld()) return false;
    const seconds = this.now() / 1000;
    utimesSync(this.path, seconds, seconds);
    return true;
  }

  release() {
    if (this.isHeld()) rmSync(this.path, { force: true });
  }

  /** Whose file is there, and whether it may be taken over. */
  standing() {
    const content = contentOf(this.path);
    if (content === null) return null;
    try {
      const stale = this.now() - statSync(this.path).mtimeMs > LEASE_MS;
      return { content, free: stale || hasEnded(JSON.parse(content)) };
    } catch {
      return { content, free: false };
    }
  }

  /** Of two that take over at once, one moves the file away; the other finds another's there.
   * @param {string} content what is to be moved */
  moveAway(content) {
    const aside = `${this.path}.${randomUUID()}`;
    try {
      renameSync(this.path, aside);
      const right = contentOf(aside) === content;
      if (!right) linkSync(aside, this.path);
      return right;
    } catch {
      return false;
    } finally {
      rmSync(aside, { force: true });
    }
  }
}

/** @param {string} path */
function contentOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
