/**
 * Who a process is, well enough to tell later whether it still runs.
 *
 * A process id alone is not enough: it is used again, and in containers it is often the same.
 * Its start time, the boot and the namespace tell the rest (Linux); elsewhere, and across
 * namespaces, only the lease's time counts.
 */

import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';

/** @typedef {{id: string, pid: number, boot: string, space: string, started: string}} Identity */

/** @returns {Identity} */
export function ownIdentity() {
  return { id: randomUUID(), pid: process.pid, boot: boot(), space: space(), started: started(process.pid) };
}

/** Whether that process has certainly ended. @param {Identity} other */
export function hasEnded(other) {
  if (!other.boot || !other.started) return false;
  if (other.boot !== boot()) return other.space === space() && space() !== '';
  if (other.space !== space()) return false;
  return started(other.pid) !== other.started;
}

const boot = () => attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
const space = () => attempt(() => readlinkSync('/proc/self/ns/pid'));

/** The start time of a process in ticks since the boot. @param {number} pid */
function started(pid) {
  // The second field is a name in brackets, which may hold anything.
  return attempt(() => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
  });
}

/** @param {() => string} read */
function attempt(read) {
  try {
    return read();
  } catch {
    return '';
  }
}
