/** Work in order within a key, side by side between keys. Keys without work cost nothing. */

export class KeyedQueue {
  constructor() {
    /** @type {Map<string, {last: Promise<unknown>, size: number}>} */
    this.lanes = new Map();
  }

  /** @param {string} key */
  size(key) {
    return this.lanes.get(key)?.size ?? 0;
  }

  /**
   * @template T
   * @param {string} key
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  run(key, work) {
    const lane = this.lanes.get(key) ?? { last: Promise.resolve(), size: 0 };
    this.lanes.set(key, lane);
    lane.size += 1;
    const next = lane.last.then(work);
    lane.last = next
      .catch(() => {})
      .then(() => {
        lane.size -= 1;
        if (lane.size === 0 && this.lanes.get(key) === lane) this.lanes.delete(key);
      });
    return next;
  }
}
