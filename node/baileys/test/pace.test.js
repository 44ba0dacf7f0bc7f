import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';

import { messageIdOf } from '../src/records.js';
import { World, newId, text } from './support/world.js';

const people = (count) => Array.from({ length: count }, (_, n) => `97252111${String(n).padStart(4, '0')}`);

describe('messages with gaps between them', () => {
  const world = new World();
  before(() => world.connected({ BAILEYS_PACE_MS: '2000' }));
  after(() => world.stop());

  test('an answer comes when nobody waits longer: queued, and sent all the same, in order', async () => {
    const { sidecar, fake, api } = world;
    const numbers = people(4);
    for (const number of numbers) fake.person(number);
    const messages = numbers.map((number, n) => ({ id: newId(), to: `+${number}`, text: `number ${n}`, wait_ms: 0 }));
    // To the last one a second: it must wait for the first.
    messages.push({ id: newId(), to: messages[3].to, text: 'number 4', wait_ms: 0 });
    const answers = await Promise.all(messages.map((message) => sidecar.send(message)));
    for (const { status, body } of answers) {
      assert.deepEqual([status, body.status, body.acked, body.under_way], [202, 'queued', false, true]);
    }
    const last = messages[4];
    const { status, body } = await sidecar.get(`/v1/messages/${last.id}`);
    assert.deepEqual([status, body.status, body.under_way, body.message_id], [200, 'queued', true, messageIdOf(last.id)]);
    assert.deepEqual([body.to.phone, body.error], [last.to, null]);

    const other = await sidecar.send({ ...last, text: 'something else' });
    assert.deepEqual([other.status, other.body.code], [409, 'other_body']);
    const joined = await world.sent({ ...last, wait_ms: 3000 });
    assert.deepEqual([joined.status, joined.body.under_way], [200, false]);
    for (const { id } of messages) await api.status(id, 'sent');
    const arrived = () => fake.delivered.map(({ message }) => text(message)).filter((one) => one?.startsWith('number '));
    await fake.until(() => arrived().length === messages.length, 'all of them');
    assert.deepEqual(arrived().toSorted(), messages.map((message) => message.text));
    assert.ok(arrived().indexOf('number 3') < arrived().indexOf('number 4'));
    assert.ok(messages.every(({ id }) => fake.framesOf(messageIdOf(id)) === 1));
    assert.deepEqual(api.of('message.status').filter((data) => data.status === 'unknown'), []);
  });

  test('a kill in the gap leaves nothing: it was never recorded, and can be sent', async () => {
    const { fake } = world;
    const first = { id: newId(), to: `+${people(1)[0]}`, text: 'before the kill' };
    const second = { ...first, id: newId(), text: 'in the gap', wait_ms: 0 };
    await world.sent(first);
    assert.equal((await world.sidecar.send(second)).body.status, 'queued');
    const sidecar = await world.restart();
    await sidecar.state('open');
    const found = await sidecar.get(`/v1/messages/${second.id}`);
    assert.deepEqual([found.status, found.body.code], [404, 'not_found']);
    assert.equal((await world.sent({ ...second, wait_ms: 3000 })).status, 200);
    assert.equal(fake.framesOf(messageIdOf(second.id)), 1);
  });

  test('one that fails in its turn is not there any more: asked for again it says why', async () => {
    const { sidecar } = world;
    const message = { id: newId(), to: '+972529999999', text: 'to nobody', wait_ms: 0 };
    assert.equal((await sidecar.send(message)).status, 202);
    while ((await sidecar.get(`/v1/messages/${message.id}`)).status !== 404);
    const again = await world.sent({ ...message, wait_ms: 3000 });
    assert.deepEqual([again.status, again.body.code], [422, 'not_on_whatsapp']);
  });
});

test('more than fit into the longest gap come again when half of them have left', async () => {
  // The second fits with its 14 s; the third, after 28 s, does not, however slow this is.
  const world = await new World().connected({ BAILEYS_PACE_MS: '14000' });
  try {
    const numbers = people(3);
    for (const number of numbers) world.fake.person(number);
    const message = (n, wait_ms) => ({ id: `far-${n}`, to: `+${numbers[n]}`, text: 'far', wait_ms });
    assert.equal((await world.sent(message(0, 3000))).status, 200);
    assert.equal((await world.sidecar.send(message(1, 0))).status, 202);
    await world.sidecar.get('/v1/messages/far-1');
    const paced = await world.sidecar.send(message(2, 3000));
    assert.deepEqual([paced.status, paced.body.code], [429, 'pace']);
    const retryAfterS = Number(paced.headers.get('retry-after'));
    assert.ok(retryAfterS >= 7 && retryAfterS <= 21, String(retryAfterS));
  } finally {
    await world.stop();
  }
});
