/**
 * The secret that sidecar and API share, when none was set: a file that whichever comes first
 * makes, whole from its first byte on.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * @param {string} path
 * @returns {string} the secret kept there
 */
export function ensureToken(path) {
  try {
    return kept(path);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
  }
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(32).toString('base64url')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    // A link fails when the name is taken: the first of two processes wins.
    linkSync(draft, path);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  return kept(path);
}

/** @param {string} path */
function kept(path) {
  const secret = readFileSync(path, 'utf8').trim();
  if (!secret) throw new Error(`${path} is empty; delete it or set BAILEYS_TOKEN`);
  return secret;
}
