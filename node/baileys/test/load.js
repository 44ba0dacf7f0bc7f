/**
 * The sidecar at scale, killed at random: `npm run load -- [sends] [contacts] [lanes] [kills]`.
 *
 * Sends to many contacts over several lanes (in order per contact, each again until it is
 * answered, as the API's outbox does) while others write in; prints the figures and ends with 1
 * when anything came twice, is missing or out of order. `TEST_DATABASE_URL` puts the store into
 * an empty PostgreSQL. No part of `npm test`; kills.test.js is its small sister.
 */

import { messageIdOf } from '../src/records.js';
import { World, text } from './support/world.js';

const [sends = 1000, contacts = 50, lanes = 8, kills = 5] = process.argv.slice(2).map(Number);
const DATABASE_URL = process.env.TEST_DATABASE_URL;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (words) => process.stdout.write(`${words}\n`);

const world = await new World().connected(DATABASE_URL ? { DATABASE_URL } : {});
const { fake, api } = world;
fake.receipts = 'none';
const people = Array.from({ length: contacts }, (_, n) => fake.person(`97252${1_000_000 + n}`));
const messages = Array.from({ length: sends }, (_, n) => ({ id: `load-${n}`, to: `+${people[n % contacts].number}`, text: `${n} הודעה` }));

const began = performance.now();
let busy = true;
let killed = 0;
const killer = (async () => {
  while (busy && killed < kills) {
    await pause(1_000 + Math.random() * 3_000);
    await world.restart();
    killed += 1;
  }
})();

const written = [];
const writer = (async () => {
  for (let n = 0; busy && n < sends; n += 1) {
    written.push(await fake.write(people[n % contacts], { conversation: `נכנסת ${n}` }));
    await pause(20);
  }
})();

/** @type {Map<string, string>} */
const fates = new Map();
const times = [];
const queues = people.map((_, n) => messages.filter((_, index) => index % contacts === n));
let next = 0;
const lane = async () => {
  while (next < contacts) {
    for (const message of queues[next++]) {
      for (;;) {
        const from = performance.now();
        const answer = await world.sidecar.send(message).catch(() => null);
        if (answer !== null && answer.status < 300 && answer.body.status !== 'queued') {
          times.push(performance.now() - from);
          fates.set(message.id, answer.body.status);
          break;
        }
        await pause(50);
      }
    }
  }
};
await Promise.all(Array.from({ length: lanes }, lane));
const seconds = (performance.now() - began) / 1000;
busy = false;
await Promise.all([writer, killer]);
await world.sidecar.state('open');

// What is unknown is settled by receipts, where the message did arrive.
const reached = messages.filter(({ id }) => fake.framesOf(messageIdOf(id)) > 0);
const open = reached.filter(({ id }) => fates.get(id) !== 'sent');
for (const { id, to } of open) fake.receipt(fake.person(to.slice(1)), messageIdOf(id), 'delivered');
for (const { id } of open) await api.status(id, 'delivered');
const told = () => api.of('message.received').map(({ message_id }) => message_id);
await api.until(() => written.every((id) => told().includes(id)), 'all that was written', 120_000);

const numbers = (person) => fake.delivered.filter(({ to }) => to === person.number).map(({ message }) => Number.parseInt(text(message), 10));
const faults = {
  sent_twice: messages.filter(({ id }) => fake.framesOf(messageIdOf(id)) > 1).length,
  said_sent_but_missing: messages.filter(({ id }) => fates.get(id) === 'sent' && !reached.some((one) => one.id === id)).length,
  contacts_out_of_order: people.filter((person) => numbers(person).some((n, at, all) => at > 0 && n < all[at - 1])).length,
  told_twice: told().length - new Set(told()).size,
  unreadable: fake.faults.length,
};
times.sort((a, b) => a - b);
const percentile = (share) => `${Math.round(times[Math.floor((times.length - 1) * share)])} ms`;
const counted = {};
for (const fate of fates.values()) counted[fate] = (counted[fate] ?? 0) + 1;
say(`${sends} sends to ${contacts} contacts over ${lanes} lanes, ${written.length} messages in, ${killed} kills, store ${DATABASE_URL ? 'postgres' : 'files'}`);
say(`${(sends / seconds).toFixed(0)} sends a second; answered p50 ${percentile(0.5)}, p95 ${percentile(0.95)}, p99 ${percentile(0.99)}`);
say(`answers ${JSON.stringify(counted)}; unknown and settled by receipts ${open.length}, never arrived ${sends - reached.length}`);
say(`asked for again by the device ${fake.retries}; faults ${JSON.stringify(faults)}`);
await world.stop();
process.exit(Object.values(faults).some((n) => n > 0) ? 1 : 0);
