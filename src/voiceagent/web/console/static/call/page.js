// A call's page: its recording in step with the transcript and with the picture. A time in the
// transcript, or a place in the picture, plays from there; what is heard is marked, and a cursor
// goes over the picture. Without a recording a block of the picture leads to its turn.

import { heardAt, momentOf, placeOf, secondsAt } from './track.js';

const STRIP_MS = 10_000;
const WIDTH = 320;
const BOTTOM = 104;
const SVG = 'http://www.w3.org/2000/svg';

const player = document.getElementById('player');
const picture = document.getElementById('picture'); // null: nothing was said

function turnsShown() {
  return [...document.querySelectorAll('#turns [data-from]')]
    .map((item) => ({
      item,
      seq: Number(item.dataset.key),
      from: Number(item.dataset.from),
      until: Number(item.dataset.until ?? item.dataset.from),
    }))
    .sort((a, b) => a.from - b.from);
}

function follow(offsetS) {
  const turns = turnsShown();
  const strips = [...document.querySelectorAll('.strip')];
  const scroller = document.getElementById('strips');
  const cursor = document.createElementNS(SVG, 'line');
  cursor.setAttribute('class', 'cursor');
  cursor.setAttribute('y1', '2');
  cursor.setAttribute('y2', String(BOTTOM));
  let marked = '';
  let isWaiting = false; // for the browser's next picture

  function mark(heard) {
    const as = heard.join(' ');
    if (as === marked) return;
    marked = as;
    for (const { item, seq } of turns) {
      const isHeard = heard.includes(seq);
      item.classList.toggle('playing', isHeard);
      if (isHeard) item.setAttribute('aria-current', 'true');
      else item.removeAttribute('aria-current');
    }
    for (const block of document.querySelectorAll('.strip [data-turn]')) {
      block.classList.toggle('playing', heard.includes(Number(block.dataset.turn)));
    }
  }

  function move(place) {
    if (place === null) return cursor.remove();
    const strip = strips[place.strip];
    const x = String(place.part * WIDTH);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    if (cursor.parentNode === strip) return;
    strip.append(cursor);
    // Only the picture's own window is moved, never the page under the reader.
    const box = strip.getBoundingClientRect();
    const shown = scroller.getBoundingClientRect();
    if (box.top < shown.top) scroller.scrollTop -= shown.top - box.top;
    else if (box.bottom > shown.bottom) scroller.scrollTop += box.bottom - shown.bottom;
  }

  function step() {
    const ms = momentOf(player.currentTime, offsetS);
    mark(heardAt(turns, ms));
    move(placeOf(ms, STRIP_MS, strips.length));
    if (player.paused || isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      step();
    });
  }

  function playFrom(seconds) {
    player.currentTime = seconds;
    player.play().catch(() => {}); // its own controls say why it cannot
    step();
  }

  for (const name of ['play', 'seeked', 'timeupdate']) {
    player.addEventListener(name, step);
  }
  document.getElementById('turns').addEventListener('click', (event) => {
    const link = event.target.closest('[data-seek]');
    if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    playFrom(Number(link.dataset.seek));
  });
  picture?.addEventListener('click', (event) => {
    const strip = event.target.closest('.strip');
    if (strip === null) return;
    const box = strip.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    playFrom(secondsAt(Number(strip.dataset.strip), part, STRIP_MS, offsetS));
  });
  picture?.classList.add('has-sound');
  document.getElementById('player-hint').hidden = false;
}

function leadToTurns() {
  picture?.addEventListener('click', (event) => {
    const block = event.target.closest('[data-turn]');
    if (block !== null) location.hash = `turn-${block.dataset.turn}`;
  });
}

if (player !== null) follow(Number(player.dataset.offsetS));
else leadToTurns();
