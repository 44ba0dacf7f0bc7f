/**
 * The page of the browser's phone: its buttons, its lamp and its words.
 *
 * Clicks flow to the call, what happens in the call flows to the page. The sound is
 * `call.js`'s business, what was said `transcript.js`'s.
 */

import { BrowserCall, CallFault } from './call.js';
import { Transcript } from './transcript.js';

/** Quieter than this (-50 dBFS) the meter shows nothing; at -6 dBFS it is full. */
const QUIETEST_DB = -50;
const LOUDEST_DB = -6;
const METER_TOLD_EVERY_MS = 1000;
const DEADLINE_MS = 10_000;
const WITHOUT_MICROPHONE = ['refused', 'missing', 'taken', 'insecure'];

const at = (id) => document.getElementById(id);
const words = JSON.parse(at('phone-words').textContent);
const csrf = document.querySelector('meta[name="csrf"]').content;
const phone = at('phone');
const transcript = new Transcript(words, {
  list: at('lines'),
  scroller: at('log'),
  empty: at('empty'),
  summary: at('summary'),
  trouble: at('no-turns'),
});

/** @type {BrowserCall | null} */
let call = null;
let clock = 0;

/** Ask for a call; throws `CallFault`. */
async function invite() {
  let answer;
  try {
    answer = await fetch('/console/phone/calls', {
      method: 'POST',
      headers: { 'X-CSRF-Token': csrf },
      // Which version of the script is to be tried, if any.
      body: new URLSearchParams({ version: phone.dataset.version }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new CallFault('unreachable');
  }
  if (answer.status === 503) throw new CallFault('busy');
  if (answer.status === 401 || answer.status === 403) throw new CallFault('signed_out');
  if (!answer.ok) throw new CallFault('unreachable');
  return answer.json();
}

async function place(withMicrophone) {
  const mine = new BrowserCall(invite, {
    state: (state) => call === mine && show(state),
    began: (callSid) => {
      phone.dataset.call = callSid;
      void transcript.follow(callSid);
    },
    level: meter,
    microphoneLost: () => say(words.microphone_lost),
    ended: (by) => {
      if (call === mine) over(words[`ended_${by}`]);
    },
  });
  call = mine;
  say('');
  at('listen').hidden = true;
  show('connecting');
  at('hang-up').focus();
  try {
    await mine.place(withMicrophone);
  } catch (fault) {
    if (call !== mine) return;
    over(words.idle);
    say(words[fault.reason] ?? words.failed);
    at('listen').hidden = !WITHOUT_MICROPHONE.includes(fault.reason);
  }
}

/** @param {'asking' | 'connecting' | 'live'} state */
function show(state) {
  phone.dataset.state = state;
  at('state').textContent = words[state];
  at('call').hidden = true;
  at('hang-up').hidden = false;
  at('mute').hidden = state !== 'live';
  at('keys').disabled = state !== 'live';
  if (state !== 'live') return;
  const began = Date.now();
  tick(began);
  clearInterval(clock);
  clock = setInterval(tick, 1000, began);
}

function over(text) {
  const focused = phone.contains(document.activeElement);
  call = null;
  clearInterval(clock);
  phone.dataset.state = 'idle';
  at('state').textContent = text;
  at('call').hidden = false;
  at('hang-up').hidden = true;
  at('mute').hidden = true;
  at('mute').setAttribute('aria-pressed', 'false');
  at('keys').disabled = true;
  for (const who of ['caller', 'agent']) meter(who, 0);
  // The button that had the focus has gone.
  if (focused) at('call').focus();
}

function say(text) {
  at('fault').textContent = text;
  at('fault').hidden = text === '';
}

function tick(began) {
  const seconds = Math.floor((Date.now() - began) / 1000);
  at('clock').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const toldAt = { caller: 0, agent: 0 };

function meter(who, rms) {
  const db = 20 * Math.log10(Math.max(rms, 1e-6));
  const share = Math.max(0, Math.min(1, (db - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
  const place = at(`${who}-level`);
  place.style.setProperty('--level', share.toFixed(3));
  const now = Date.now();
  if (rms > 0 && now - toldAt[who] < METER_TOLD_EVERY_MS) return;
  toldAt[who] = now;
  place.setAttribute('aria-valuenow', String(Math.round(share * 100)));
}

// On a telephone's screen the conversation should be near.
at('keys-fold').open = matchMedia('(min-width: 801px)').matches;

at('call').addEventListener('click', () => void place(true));
at('listen').addEventListener('click', () => void place(false));
at('hang-up').addEventListener('click', () => {
  const mine = call;
  if (mine === null) return;
  mine.hangUp();
  if (call === mine) over(words.ended_caller);
});
at('mute').addEventListener('click', () => {
  const muted = at('mute').getAttribute('aria-pressed') !== 'true';
  at('mute').setAttribute('aria-pressed', String(muted));
  at('state').textContent = muted ? words.muted : words.live;
  call?.mute(muted);
});
at('keys').addEventListener('click', ({ target }) => {
  const digit = target.closest('button')?.dataset.digit;
  if (digit !== undefined) call?.press(digit);
});
at('keys').addEventListener('keydown', (event) => {
  const key = at('keys').querySelector(`[data-digit="${CSS.escape(event.key)}"]`);
  if (key === null || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  key.focus();
  key.click();
});
addEventListener('pagehide', () => call?.hangUp());
