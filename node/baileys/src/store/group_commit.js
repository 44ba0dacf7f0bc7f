/**
 * Many small writes, few trips to the disk: what is asked for while one commit is under way
 * goes with the next, in the order in which it was asked for.
 */

/** @typedef {import('./store.js').Put} Put */

const MAX_BATCHES = 500;

export class GroupCommit {
  /** @param {(puts: Put[][]) => Promise<void>} commit */
  constructor(commit) {
    this.commit = commit;
    /** @type {{puts: Put[], resolve: () => void, reject: (error: unknown) => void}[]} */
    this.waiting = [];
    this.running = false;
  }

  /** @param {Put[]} puts @returns {Promise<void>} */
  write(puts) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ puts, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  async run() {
    this.running = true;
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, MAX_BATCHES);
      try {
        await this.commit(group.map((one) => one.puts));
        for (const one of group) one.resolve();
      } catch (error) {
        for (const one of group) one.reject(error);
      }
    }
    this.running = false;
  }
}
