/** Odd values and odd requests, by a seed: the same ones for the same seed. */

/** Numbers from 0 to 1 (mulberry32). @param {number} seed */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @template T @param {() => number} next @param {T[]} values @returns {T} */
export const one = (next, values) => values[Math.floor(next() * values.length)];

const nested = (depth) => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

export const VALUES = [
  null, true, false, 0, -1, 0.5, 1e308, -1e308, 2 ** 53, -0,
  '', ' ', '\0', 'a\0b', '\ud800', '\udc00x', '‮אב', '😀', 'x'.repeat(10_001), '../../etc/passwd', '__proto__',
  'constructor', '1203@lid', '123-456@g.us', 'status@broadcast', '+972521234567', '2026-02-30', '0001-01-01T00:00:00Z',
  [], {}, [null], { a: { b: [{}] } }, { length: -1 }, { toString: null }, { toJSON: 'x' }, nested(500),
];
const any = (next) => structuredClone(one(next, VALUES));

/** The value, changed in one to three places. @param {() => number} next @param {any} value */
export function altered(next, value) {
  let changed = structuredClone(value);
  for (let times = 1 + Math.floor(next() * 3); times > 0; times -= 1) {
    const places = [];
    const walk = (holder) => {
      if (typeof holder !== 'object' || holder === null) return;
      for (const key of Object.keys(holder)) {
        places.push([holder, key]);
        walk(holder[key]);
      }
    };
    walk(changed);
    const place = one(next, places);
    if (place === undefined || next() < 0.03) changed = any(next);
    else if (next() < 0.15) delete place[0][place[1]];
    else {
      // As `JSON.parse` does, for which `__proto__` is a name like any other.
      const name = next() < 0.15 ? one(next, ['__proto__', 'x', '\0', `${place[1]}x`]) : place[1];
      Object.defineProperty(place[0], name, { value: any(next), enumerable: true, configurable: true, writable: true });
    }
  }
  return changed;
}

/** The text, changed in one to four places; no JSON in most cases. @param {() => number} next @param {string} text */
export function mangled(next, text) {
  for (let times = 1 + Math.floor(next() * 4); times > 0; times -= 1) {
    const at = Math.floor(next() * (text.length + 1));
    const length = Math.floor(next() * 8);
    const token = one(next, ['{', '}', '[', '"', '\\u0000', '\\ud800', '\0', '1e999', 'null', ',', '\\', '[['.repeat(2000), 'é', '']);
    text = text.slice(0, at) + token + text.slice(at + length);
  }
  return text;
}
