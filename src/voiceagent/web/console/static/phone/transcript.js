/**
 * The conversation beside the phone: asks for what was said and keeps the list in step with it.
 *
 * Turns of one call flow in, as soon as there are more; list items flow out. It knows nothing
 * of sound.
 */

import { lineOf, summaryOf } from './turns.js';

const AGAIN_MS = 300;
const TRIES = 50;
/** The service answers within five seconds, news or none. */
const DEADLINE_MS = 15_000;
/** The response that fills the whole bar. */
const BAR_MS = 1000;

export class Transcript {
  /**
   * @param {Record<string, string>} words
   * @param {Record<'list' | 'scroller' | 'empty' | 'summary' | 'trouble', HTMLElement>} places
   */
  constructor(words, places) {
    this._words = words;
    this._places = places;
    this._items = new Map();
    this._callSid = '';
  }

  /** Begin anew with that call; what was there of another one goes. Never throws. */
  async follow(callSid) {
    this._callSid = callSid;
    this._items.clear();
    this._places.list.replaceChildren();
    this._places.summary.hidden = true;
    let version = -1;
    let failed = 0;
    while (this._callSid === callSid && failed < TRIES) {
      const now = await look(callSid, version);
      if (this._callSid !== callSid) return;
      failed = now === null || now.status === 'waiting' ? failed + 1 : 0;
      this._say(this._places.trouble, failed > 5 ? this._words.no_turns : '');
      if (now !== null) this._show(now.turns.map(lineOf));
      if (now?.status === 'over') return;
      // Another process has the call, or it has not begun: nobody tells when there is news.
      if (now === null || now.version === 0) await new Promise((done) => setTimeout(done, AGAIN_MS));
      version = now?.version ?? version;
    }
  }

  _show(lines) {
    const { scroller, empty, summary } = this._places;
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
    empty.hidden = lines.length > 0;
    for (const line of lines) this._put(line);
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    const sum = summaryOf(lines);
    if (sum === null) return;
    const words = sum.count === 1 ? this._words.summary_one : this._words.summary;
    const values = { count: sum.count, median: whole(sum.medianMs), longest: whole(sum.longestMs) };
    this._say(summary, filled(words, values));
  }

  _put(line) {
    const known = this._items.get(line.seq);
    const as = JSON.stringify(line);
    if (known?.as === as) return;
    const item = known?.item ?? element('li', 'line-item');
    item.dataset.who = line.who;
    item.dataset.status = line.status;
    item.replaceChildren(...this._parts(line));
    if (known === undefined) this._places.list.append(item);
    this._items.set(line.seq, { as, item });
  }

  _parts(line) {
    const words = this._words;
    const head = element('p', 'who', line.keyed ? `${words[line.who]} · ${words.keyed}` : words[line.who]);
    if (line.status !== 'complete') head.append(' · ', element('span', 'mood', words[line.status]));
    const text = element('p', 'text');
    text.dir = 'auto';
    text.append(line.said);
    if (line.unheard !== '') {
      const hint = element('span', 'hidden', ` ${words.unheard} `);
      text.append(hint, ' ', element('s', 'unheard', line.unheard.trim()));
    }
    const parts = [head, text];
    if (line.waitedMs !== null) {
      parts.push(element('p', 'timing', filled(words.waited, { ms: whole(line.waitedMs) })));
    }
    if (line.responseMs !== null) {
      parts.push(element('p', 'timing', filled(words.response, { ms: whole(line.responseMs) })));
    }
    if (line.way.length > 0) parts.push(...this._way(line.way));
    return parts;
  }

  /** The response's parts, as a bar and as texts. */
  _way(way) {
    const bar = element('div', 'way');
    bar.setAttribute('aria-hidden', 'true');
    const texts = element('ul', 'timing way-texts');
    const full = Math.max(BAR_MS, way.reduce((sum, { ms }) => sum + ms, 0));
    for (const { name, ms } of way) {
      const part = element('span', `way-${name}`);
      part.style.inlineSize = `${(100 * ms) / full}%`;
      bar.append(part);
      const dot = element('span', `dot way-${name}`);
      dot.setAttribute('aria-hidden', 'true');
      const told = filled(this._words.way_part, { name: this._words[`way_${name}`], ms: whole(ms) });
      const text = element('li', '');
      text.append(dot, told);
      texts.append(text);
    }
    return [bar, texts];
  }

  _say(place, text) {
    if (place.textContent !== text) place.textContent = text;
    place.hidden = text === '';
  }
}

/** The call as it is now; null: nobody can tell. */
async function look(callSid, version) {
  try {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const answer = await fetch(`/console/phone/calls/${callSid}?after=${version}`, { signal });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function element(name, className, text = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

const whole = (ms) => String(Math.round(ms));

const filled = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);
