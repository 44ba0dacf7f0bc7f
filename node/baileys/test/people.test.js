// A person is erased; the store is in files, or in the database that TEST_DATABASE_URL names, as
// tests/whatsapp/test_sidecar_store.py has it.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, beforeEach, describe } from 'node:test';

import pg from 'pg';

import { messageIdOf } from '../src/records.js';
import { World, newId, text } from './support/world.js';

const DATABASE_URL = process.env.TEST_DATABASE_URL;
const DANA = '+972521234567';
const GIL = '+972529876543';

async function asked(statement) {
  const client = new pg.Client(DATABASE_URL);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

const FILES = {
  environ: {},
  empty: async () => {},
  /** All that was ever written, as far as the files still have it. */
  content: async ({ folder }) =>
    readdirSync(join(folder, 'baileys'))
      .filter((name) => name.startsWith('store.log'))
      .map((name) => readFileSync(join(folder, 'baileys', name), 'utf8'))
      .join('\n'),
};

const POSTGRES = {
  environ: { DATABASE_URL },
  empty: () => asked('DROP SCHEMA IF EXISTS whatsapp_sidecar CASCADE'),
  content: async () => JSON.stringify(await asked('SELECT tab, key, value FROM whatsapp_sidecar.records')),
};

/** The same, with what is kept in base64 in clear as well. */
async function kept(kind, world) {
  const content = await kind.content(world);
  const inside = [...content.matchAll(/[A-Za-z0-9+/]{12,}={0,2}/g)].map(([bytes]) => Buffer.from(bytes, 'base64').toString('utf8'));
  return [content, ...inside].join('\n');
}

const now = () => new Date().toISOString();
/** Until the clock shows another second: WhatsApp counts in seconds. */
const nextSecond = () => new Promise((resolve) => setTimeout(resolve, 1010 - (Date.now() % 1000)));

for (const [name, kind] of [DATABASE_URL ? ['postgres', POSTGRES] : ['files', FILES]]) {
  describe(`erasing, with the store in ${name}`, () => {
    const world = new World();
    let dana, gil;
    before(async () => {
      await kind.empty();
      await world.connected(kind.environ);
      dana = world.fake.person(DANA.slice(1), 'דנה');
      gil = world.fake.person(GIL.slice(1), 'גיל');
    });
    after(() => world.stop());
    beforeEach(() => {
      world.api.answers = 204;
      Object.assign(world.fake, { acks: 'ack', receipts: 'read' });
    });
    const erase = (request) => world.sidecar.post('/v1/people/erase', request);
    /** Until that many events wait for the API. */
    const waiting = async (count) => {
      while ((await world.sidecar.get('/v1/session')).body.events.waiting !== count);
    };
    const marksOf = (person, word) => [person.number, person.lid.split('@')[0], word];
    const found = async (marks) => {
      const content = await kept(kind, world);
      return marks.filter((mark) => content.includes(mark));
    };

    test('nothing is left of the person, and everything of the others', async () => {
      const { fake, api } = world;
      const ids = { dana: newId(), gil: newId() };
      await world.sent({ id: ids.dana, to: DANA, text: 'מילה של דנה' });
      await world.sent({ id: ids.gil, to: GIL, text: 'מילה של גיל' });
      await fake.write(dana, { conversation: 'נכתבה בידי דנה' });
      await api.received('נכתבה בידי דנה');
      await fake.until(() => fake.pending.size === 0, 'the receipts');
      await waiting(0);
      api.answers = 503;
      const posts = api.posts;
      for (const [who, words] of [[dana, 'דנה ממתינה'], [gil, 'גיל ממתין']]) await fake.write(who, { conversation: words });
      await api.until(() => api.posts > posts, 'a try');
      await waiting(2);
      const marks = [...marksOf(dana, 'מילה של דנה'), 'נכתבה בידי דנה', 'דנה ממתינה'];
      assert.deepEqual(await found(marks), marks);

      // The LID is known here, whether it is named or not.
      const { status, body } = await erase({ phones: [DANA], message_ids: [ids.dana], before: now() });
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(body.erased.messages_out, 1);
      assert.equal(body.erased.messages_in, 2);
      assert.ok(body.erased.events >= 1 && body.erased.numbers === 1 && body.erased.keys >= 4, JSON.stringify(body));
      assert.deepEqual(await found(marks), []);
      const others = [...marksOf(gil, 'מילה של גיל'), 'גיל ממתין'];
      assert.deepEqual(await found(others), others);

      api.answers = 204;
      await api.received('גיל ממתין');
      assert.equal(api.of('message.received').some((data) => data.text === 'דנה ממתינה'), false);
      await waiting(0);
      assert.equal((await world.sidecar.get(`/v1/messages/${ids.gil}`)).status, 200);

      const again = await erase({ phones: [DANA], lids: [dana.lid], message_ids: [ids.dana], before: now() });
      assert.equal(again.status, 200);
      assert.deepEqual(again.body.erased, { messages_out: 0, messages_in: 0, events: 0, numbers: 0, keys: 0 });
    });

    test('what was erased is not sent any more, also by the next process', async () => {
      const { fake } = world;
      const [sent, never] = [newId(), newId()];
      await world.sent({ id: sent, to: GIL, text: 'נשלחה' });
      await erase({ phones: ['+972521111111'], message_ids: [sent, never], before: now() });
      for (const _ of [1, 2]) {
        for (const id of [sent, never]) {
          const answers = [await world.sidecar.send({ id, to: GIL, text: 'נשלחה' }), await world.sidecar.get(`/v1/messages/${id}`)];
          assert.deepEqual(answers.map(({ status, body }) => [status, body.code]), [[410, 'erased'], [410, 'erased']]);
        }
        await (await world.restart()).state('open');
      }
      assert.deepEqual([fake.framesOf(messageIdOf(sent)), fake.framesOf(messageIdOf(never))], [1, 0]);
    });

    test('a message without an acknowledgement is let go, and what comes of it changes nothing', async () => {
      const { fake, api } = world;
      Object.assign(fake, { acks: 'hold', receipts: 'none' });
      const id = newId();
      const answer = world.sidecar.send({ id, to: GIL, text: 'באוויר' });
      await fake.until(() => fake.delivered.some(({ message }) => text(message) === 'באוויר'), 'the message');
      assert.equal((await erase({ phones: [GIL], message_ids: [id], before: now() })).body.erased.messages_out >= 1, true);
      assert.equal((await answer).status, 202);
      fake.receipt(gil, messageIdOf(id), 'read');
      fake.acks = 'ack';
      await fake.until(() => fake.pending.size === 0, 'the receipt');
      assert.deepEqual(await found(['באוויר', messageIdOf(id)]), []);
      assert.equal(api.of('message.status').some((data) => data.id === id && data.status === 'read'), false);
      assert.match((await world.sidecar.get('/metrics')).body, /^baileys_in_flight 0$/m);
    });

    test('who writes again is somebody new: the message comes, and can be answered', async () => {
      const { fake, api } = world;
      await nextSecond();
      const before = new Date(Math.floor(Date.now() / 1000) * 1000 - 1).toISOString();
      await erase({ phones: [DANA], lids: [dana.lid], before });
      const id = await fake.write(dana, { conversation: 'שוב שלום' });
      const data = await api.received('שוב שלום');
      assert.deepEqual([data.message_id, data.chat.phone, data.chat.lid], [id, DANA, dana.lid]);
      const { status, body } = await world.sent({ id: newId(), to: DANA, text: 'ברוכה השבה' });
      assert.equal(status, 200, JSON.stringify(body));
      await fake.until(() => fake.delivered.some(({ message }) => text(message) === 'ברוכה השבה'), 'the answer');
      assert.deepEqual(fake.faults, []);
      // Whoever erases late erases nothing of hers.
      assert.equal((await erase({ phones: [DANA], before })).body.erased.messages_in, 0);
      assert.deepEqual(await found(['שוב שלום', 'ברוכה השבה']), ['שוב שלום', 'ברוכה השבה']);
    });

    test('what she wrote before and comes late leaves nothing, also with the next process', async () => {
      const { fake, api } = world;
      await nextSecond();
      await erase({ phones: [DANA], lids: [dana.lid], before: new Date(Date.now() + 60_000).toISOString() });
      for (const [n, words] of ['איחרה לבוא', 'איחרה עוד יותר'].entries()) {
        const id = await fake.write(dana, { conversation: words });
        await fake.until(() => !fake.pending.has(`message:${id}`), 'the receipt');
        await fake.write(gil, { conversation: `אחריה, ${n}` });
        await api.received(`אחריה, ${n}`);
        assert.equal(api.of('message.received').some((data) => data.text === words), false);
        assert.deepEqual(await found([words]), name === 'files' ? [words] : []);
        await (await world.restart()).state('open');
      }
      // A file keeps what was deleted until it is written anew.
      await erase({ phones: [DANA], before: now() });
      assert.deepEqual(await found(['איחרה לבוא', 'איחרה עוד יותר']), []);
    });

    test('a request that names things wrongly erases nothing', async () => {
      const before = now();
      const wrong = [null, {}, { phones: [DANA] }, { phones: DANA, before }, { phones: ['052'], before }, { lids: [DANA], before }];
      wrong.push({ message_ids: ['a b'], before }, { before: 'yesterday' }, { before, name: 'x' });
      wrong.push({ message_ids: Array.from({ length: 10_001 }, (_, n) => `m${n}`), before });
      for (const request of wrong) {
        const { status, body } = await erase(request);
        assert.deepEqual([status, body.code], [422, 'bad_message'], JSON.stringify(request)?.slice(0, 80));
      }
      const stranger = await world.sidecar.call('POST', '/v1/people/erase', { phones: [GIL], before }, { authorization: 'Bearer wrong' });
      assert.equal(stranger.status, 401);
    });

    test('the account itself is left as it is', async () => {
      const { body } = await world.sidecar.get('/v1/session');
      await erase({ phones: [body.account.phone], lids: [body.account.lid], before: now() });
      assert.deepEqual(await found([body.account.phone.slice(1)]), [body.account.phone.slice(1)]);
      await (await world.restart()).state('open');
    });

    test('the log holds no number', () => {
      for (const { number } of [dana, gil]) assert.equal(world.output.includes(number), false);
    });
  });
}
