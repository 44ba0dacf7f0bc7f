// The sidecar is killed (kill -9) at the moments that matter; its store is in files, or in the
// database that TEST_DATABASE_URL names, as tests/whatsapp/test_sidecar_store.py has it.
import assert from 'node:assert/strict';
import test, { after, before, beforeEach, describe } from 'node:test';

import pg from 'pg';

import { messageIdOf } from '../src/records.js';
import { World, newId, text } from './support/world.js';

const TO = '+972521234567';
const DATABASE_URL = process.env.TEST_DATABASE_URL;
const KILLS = Number(process.env.TEST_KILLS ?? 3);
const SENDS = 20 * KILLS;

async function emptied() {
  const client = new pg.Client(DATABASE_URL);
  await client.connect();
  await client.query('DROP SCHEMA IF EXISTS whatsapp_sidecar CASCADE');
  await client.end();
}

for (const [name, environ] of [DATABASE_URL ? ['postgres', { DATABASE_URL }] : ['files', {}]]) {
  describe(`killed, with the store in ${name}`, () => {
    const world = new World();
    let dana;
    before(async () => {
      if (name === 'postgres') await emptied();
      await world.connected(environ);
      dana = world.fake.person(TO.slice(1));
    });
    after(() => world.stop());
    beforeEach(() => {
      world.fake.acks = 'ack';
      world.fake.receipts = 'none';
      world.fake.answersUsync = true;
      world.fake.saysOfflineDone = true;
    });

    test('between the record and the socket: nothing left; sent when it is asked for again, once', async () => {
      const { fake } = world;
      const id = newId();
      // Known numbers are not asked for; the devices of a contact are, once per connection.
      await world.sent({ id: newId(), to: TO, text: 'ראשונה' });
      await (await world.restart()).state('open');
      fake.answersUsync = false;
      const asked = fake.unanswered;
      const lost = world.sidecar.send({ id, to: TO, text: 'נרשמה' }).catch(() => 'cut off');
      // It is recorded by the time its devices are asked for.
      await fake.until(() => fake.unanswered > asked, 'the question for its devices');
      const { body } = await world.sidecar.get(`/v1/messages/${id}`);
      assert.deepEqual([body.status, body.under_way], ['queued', true]);
      await world.sidecar.kill();
      assert.equal(await lost, 'cut off');
      fake.answersUsync = true;
      const sidecar = await world.restart();
      await sidecar.state('open');
      const found = await sidecar.get(`/v1/messages/${id}`);
      assert.deepEqual([found.body.status, found.body.under_way], ['queued', false]);
      const again = await world.sent({ id, to: TO, text: 'נרשמה' });
      assert.deepEqual([again.status, again.body.status], [200, 'sent']);
      assert.equal(fake.framesOf(messageIdOf(id)), 1);
    });

    test('between the socket and the acknowledgement: unknown, never again, settled by a receipt', async () => {
      const { fake, api } = world;
      const id = newId();
      fake.acks = 'hold';
      const lost = world.sidecar.send({ id, to: TO, text: 'באוויר' }).catch(() => 'cut off');
      await fake.until(() => fake.delivered.some(({ message }) => text(message) === 'באוויר'), 'the message');
      await world.sidecar.kill();
      assert.equal(await lost, 'cut off');
      fake.acks = 'ack';
      const sidecar = await world.restart();
      await sidecar.state('open');
      await api.status(id, 'unknown');
      for (const _ of [1, 2]) {
        const { status, body } = await sidecar.send({ id, to: TO, text: 'באוויר' });
        assert.deepEqual([status, body.status], [202, 'unknown']);
      }
      assert.equal(fake.framesOf(messageIdOf(id)), 1);
      fake.receipt(dana, messageIdOf(id), 'read');
      await api.status(id, 'read');
      assert.equal((await sidecar.send({ id, to: TO, text: 'באוויר' })).status, 200);
    });

    test('after the socket, the next message can still be read: no key is used twice', async () => {
      const { fake } = world;
      await (await world.restart()).state('open');
      const { status } = await world.sent({ id: newId(), to: TO, text: 'הבאה' });
      assert.equal(status, 200);
      await fake.until(() => fake.delivered.some(({ message }) => text(message) === 'הבאה'), 'the next message');
      assert.deepEqual(fake.faults, []);
    });

    test('while the library holds a confirmed message back: it is told all the same, once', async () => {
      const { fake, api } = world;
      await world.sidecar.kill();
      fake.saysOfflineDone = false;
      const id = await fake.write(dana, { conversation: 'אושרה ונשכחה' });
      const sidecar = await world.restart();
      await sidecar.state('open');
      await fake.until(() => !fake.pending.has(`message:${id}`), 'the receipt');
      assert.equal(api.of('message.received').some((data) => data.message_id === id), false);
      await sidecar.kill();
      fake.saysOfflineDone = true;
      await (await world.restart()).state('open');
      const told = await api.received('אושרה ונשכחה');
      assert.deepEqual([told.while_away, told.chat.phone, told.name], [true, TO, 'דנה']);
      await (await world.restart()).state('open');
      await fake.write(dana, { conversation: 'אחריה' });
      await api.received('אחריה');
      assert.equal(api.of('message.received').filter((data) => data.message_id === id).length, 1);
    });

    test('after it has asked for a message again: it comes all the same, once', async () => {
      const { fake, api } = world;
      // Without the session it can read nothing of hers until she has begun anew.
      const erasure = { phones: [TO], lids: [dana.lid], before: '2020-01-01T00:00:00.000Z' };
      assert.equal((await world.sidecar.post('/v1/people/erase', erasure)).status, 200);
      const { retries } = fake;
      const id = await fake.write(dana, { conversation: 'שוב, לבקשתך' });
      await fake.until(() => fake.retries > retries, 'the request for it');
      await (await world.restart()).state('open');
      await api.received('שוב, לבקשתך');
      await fake.until(() => !fake.pending.has(`message:${id}`), 'the receipts');
      assert.equal(api.of('message.received').filter((data) => data.message_id === id).length, 1);
    });

    test('with events that the API has not taken: they come in order, from the next process', async () => {
      const { fake, api } = world;
      api.answers = 503;
      const posts = api.posts;
      for (const words of ['א', 'ב', 'ג']) await fake.write(dana, { conversation: `אירוע ${words}` });
      await api.until(() => api.posts > posts, 'a try');
      await fake.until(() => ![...fake.pending.keys()].some((key) => key.startsWith('message:')), 'the receipts');
      await world.sidecar.session(({ events }) => events.waiting >= 3, 'three events that wait');
      await world.sidecar.kill();
      api.answers = 204;
      await world.restart();
      await api.received('אירוע ג');
      const came = api.of('message.received').map((data) => data.text).filter((words) => words?.startsWith('אירוע'));
      assert.deepEqual(came, ['אירוע א', 'אירוע ב', 'אירוע ג']);
    });

    test(`at random, ${KILLS} times, under sends and messages: nothing twice, nothing lost`, async () => {
      const { fake, api } = world;
      const sends = Array.from({ length: SENDS }, (_, n) => ({ id: newId(), to: n % 3 ? TO : '+972521111111', text: `אקראי ${n}` }));
      fake.person('972521111111');
      const inbound = [];
      let done = false;
      const kills = (async () => {
        for (let n = 0; n < KILLS && !done; n += 1) {
          await new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * 400));
          await world.restart();
          await world.sidecar.state('open');
        }
      })();
      const writer = (async () => {
        for (let n = 0; n < SENDS / 2; n += 1) {
          inbound.push(await fake.write(dana, { conversation: `נכנסת ${n}` }));
          await new Promise((resolve) => setTimeout(resolve, 60));
        }
      })();
      const fates = {};
      for (const message of sends) {
        fates[message.id] = (await world.sent(message)).body.status;
      }
      await writer;
      done = true;
      await kills;
      await world.sidecar.state('open');
      for (const { id } of sends) assert.ok(fake.framesOf(messageIdOf(id)) <= 1, `${id} was sent twice`);
      for (const { id } of sends) {
        if (fates[id] !== 'unknown') assert.equal(fake.framesOf(messageIdOf(id)), 1, `${id} ${fates[id]}`);
      }
      // The contact's phone has them in the order of the requests.
      const order = fake.delivered.map(({ message }) => text(message)).filter((words) => words?.startsWith('אקראי'));
      assert.deepEqual(order, [...order].sort((a, b) => Number(a.slice(6)) - Number(b.slice(6))));
      for (const { id } of sends) if (fake.framesOf(messageIdOf(id))) fake.receipt(fake.find(`${fake.frames.find((frame) => frame.id === messageIdOf(id)).to}`), messageIdOf(id), 'read');
      for (const { id } of sends) if (fake.framesOf(messageIdOf(id))) await api.status(id, 'read');
      await api.until(() => inbound.every((id) => api.of('message.received').some((data) => data.message_id === id)), 'every message');
      for (const id of inbound) assert.equal(api.of('message.received').filter((data) => data.message_id === id).length, 1);
      assert.deepEqual(fake.faults, []);
    });
  });
}
