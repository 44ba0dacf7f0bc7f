/**
 * Whether this process owns the session, and whether the store answers.
 *
 * A loop that asks for the lease, then renews it. What it finds is told to the supervisor: taken,
 * standing by, lost, away, back. Whoever comes upon a fault of the store tells it here.
 */

import { said, whence } from './log.js';
import { LEASE_MS, OwnerLost, RENEW_EVERY_MS, StoreAway } from './store/store.js';

/**
 * @typedef {object} Tidings
 * @property {() => Promise<void>} taking this process may read the state and make it ready
 * @property {() => void} taken this process is the owner
 * @property {() => void} standby another process is
 * @property {() => void} lost another process has become it
 * @property {() => void} away nothing may be taken from WhatsApp until it can be kept
 * @property {() => Promise<void>} back
 * @property {() => void} fine called on every round in which all is well
 */

export class Ownership {
  /**
   * @param {object} parts
   * @param {import('./store/store.js').Store} parts.store
   * @param {import('./log.js').Log} parts.log
   * @param {Tidings} parts.tidings
   * @param {() => number} parts.now
   */
  constructor({ store, log, tidings, now }) {
    this.store = store;
    this.log = log;
    this.tidings = tidings;
    this.now = now;
    this.held = false;
    this.storeFine = false;
    /** Whether the store has ever answered. */
    this.storeAnswered = false;
    this.storeTold = false;
    this.fineMs = now();
    this.ending = false;
  }

  /** Becomes the owner and stays it; runs as long as the sidecar. */
  async run() {
    while (!this.ending) {
      try {
        if (this.held) await this.store.renew();
        else if (await this.store.acquire()) {
          await this.tidings.taking();
          this.held = true;
          this.log.info('This process owns the session', { store: this.store.kind });
          this.tidings.taken();
        } else this.tidings.standby();
        if (this.held && !this.storeFine) await this.tidings.back();
        this.fineMs = this.now();
        this.storeFine = this.storeAnswered = true;
        this.storeTold = false;
        if (this.held) this.tidings.fine();
      } catch (error) {
        this.fault(error instanceof OwnerLost || error instanceof StoreAway ? error : new StoreAway(error));
      }
      await new Promise((resolve) => setTimeout(resolve, RENEW_EVERY_MS));
    }
  }

  /** Something went wrong with what had come or was to be kept. @param {unknown} error */
  fault(error) {
    if (error instanceof OwnerLost) {
      this.held = false;
      this.tidings.lost();
    } else if (error instanceof StoreAway) this.away(error);
    else this.log.error('Something that came could not be dealt with', { error: said(error), at: whence(error) });
  }

  /** @param {StoreAway} error */
  away(error) {
    if (!this.storeTold) this.log.error('The store is away', { error: said(error) });
    this.storeTold = true;
    this.storeFine = false;
    this.tidings.away();
    // Somebody else may have taken over by then: it begins again from asking.
    if (this.now() - this.fineMs > LEASE_MS) this.held = false;
  }
}
