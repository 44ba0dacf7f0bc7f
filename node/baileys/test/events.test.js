import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { afterEach, beforeEach, describe } from 'node:test';

import { DEAD_AFTER_MS, Events, verdict, waitMs } from '../src/events.js';
import { Metrics } from '../src/metrics.js';
import { Person } from '../src/person.js';
import { webhookKey } from '../src/signing.js';
import { FileStore } from '../src/store/files.js';
import { FakeApi } from './support/api.js';
import { TOKEN } from './support/sidecar.js';

test('what an answer means', () => {
  const rows = [
    [204, 1, 0, 'safe'],
    [200, 1, 0, 'safe'],
    [302, 1, 0, 'again'],
    [401, 1000, 0, 'again'],
    [404, 1000, 0, 'again'],
    [429, 1000, 0, 'again'],
    [503, 100_000, DEAD_AFTER_MS - 1, 'again'],
    [503, 1, DEAD_AFTER_MS, 'dead'],
    [null, 9, 0, 'again'],
    [null, 9, DEAD_AFTER_MS, 'dead'],
    [400, 4, 0, 'again'],
    [400, 5, 0, 'dead'],
    [413, 5, 0, 'dead'],
    [422, 5, 0, 'dead'],
    [204, 99, DEAD_AFTER_MS * 2, 'safe'],
  ];
  for (const [status, tries, age, wanted] of rows) assert.equal(verdict(status, tries, age), wanted, `${status} ${tries} ${age}`);
});

test('waits double up to half a minute, half more or less', () => {
  assert.deepEqual([1, 2, 3, 7, 50].map((tries) => waitMs(tries, 0.5)), [500, 1000, 2000, 30_000, 30_000]);
  assert.deepEqual([waitMs(1, 0), waitMs(1, 1)], [250, 750]);
});

describe('the queue of events', () => {
  const said = [];
  const log = { debug() {}, info() {}, warning: (msg) => said.push(msg), error() {} };
  let api, folder, store, events, room, clock;

  const opened = async (max = 1000) => {
    store = new FileStore(folder, log);
    await store.acquire();
    const parts = { store, url: `http://127.0.0.1:${api.port}/webhook/whatsapp/baileys`, key: webhookKey(TOKEN), max, log, metrics: new Metrics() };
    events = new Events({ ...parts, account: () => '+972500000001', onRoom: () => (room += 1), now: () => Date.now() + clock });
    await events.start();
  };
  beforeEach(async () => {
    room = clock = 0;
    folder = mkdtempSync(join(tmpdir(), 'sidecar-events-'));
    api = await new FakeApi().start();
    await opened();
  });
  afterEach(async () => {
    await events.stop();
    await store.close();
    await api.stop();
    rmSync(folder, { recursive: true });
  });
  const happen = (n) => events.append([{ type: 'message.received', data: { text: String(n) } }]);
  const texts = () => api.events.map(({ data }) => data.text);
  const count = (n) => api.until(() => api.events.length === n, `${n} events`);

  test('events come signed, complete, in order, once each', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, n) => happen(n)));
    await count(200);
    assert.deepEqual(texts(), Array.from({ length: 200 }, (_, n) => String(n)));
    assert.equal(new Set(api.events.map(({ id }) => id)).size, 200);
    assert.equal(api.badSignatures, 0);
    const [{ id, type, created_at, account }] = api.events;
    assert.match(id, /^evt_[0-9a-z]+$/);
    assert.deepEqual([type, account], ['message.received', '+972500000001']);
    assert.ok(Date.parse(created_at) > 0);
    await events.stop();
    assert.equal(events.waiting, 0);
    assert.equal(await store.count('events'), 0);
  });

  /** Has the queue read anew, with `then` done after a reading and before what it found is known. */
  const readAnew = async (then) => {
    await events.stop();
    const scan = store.scan.bind(store);
    store.scan = async (...asked) => {
      const found = await scan(...asked);
      await then();
      return found;
    };
    await events.start();
  };

  test('what comes while the queue is being read does not wait for more to come', { timeout: 30_000 }, async () => {
    let once = null;
    await readAnew(() => (once ??= happen(0)));
    await count(1);
  });

  test('it can be stopped while it is being read', { timeout: 30_000 }, async () => {
    let stopped = null;
    let being;
    const reading = new Promise((resolve) => (being = resolve));
    await readAnew(async () => {
      stopped ??= events.stop();
      being();
    });
    await reading;
    await stopped;
  });

  test('a failure holds the rest up; then all come in order', async () => {
    let failures = 2;
    api.answers = ({ data }) => (data.text === '1' && failures-- > 0 ? 500 : 204);
    for (let n = 0; n < 4; n += 1) await happen(n);
    await count(4);
    assert.deepEqual(texts(), ['0', '1', '2', '3']);
    assert.equal(api.posts, 6);
  });

  test('an API that is away gets all of it when it is back, also from the next process', async () => {
    const { port } = api;
    await api.stop();
    for (let n = 0; n < 3; n += 1) await happen(n);
    await events.stop();
    await store.close();
    api = await new FakeApi().start(port);
    await opened();
    assert.equal(events.waiting, 3);
    await happen(3);
    await count(4);
    assert.deepEqual(texts(), ['0', '1', '2', '3']);
  });

  test('what is refused is put aside, the rest goes on; it can be sent again', async () => {
    api.answers = ({ data }) => (data.text === '0' ? 422 : 204);
    await happen(0);
    await happen(1);
    await api.until(() => api.events.length === 1, 'the other one');
    assert.equal(api.posts, 6);
    assert.deepEqual([events.dead, await store.count('events_dead')], [1, 1]);
    assert.ok(said.some((words) => /dead/.test(words)));
    api.answers = 204;
    assert.equal(await events.retryDead(), 1);
    await count(2);
    assert.equal(events.dead, 0);
    assert.deepEqual(texts(), ['1', '0']);
  });

  test('after three days an event is dead', async () => {
    api.answers = ({ data }) => (data.text === 'old' ? 503 : 204);
    await happen('old');
    await api.until(() => api.posts >= 1, 'a try');
    clock = DEAD_AFTER_MS;
    await happen('new');
    await count(1);
    assert.deepEqual([texts(), events.dead], [['new'], 1]);
  });

  const chat = (digits) => ({ jid: `${digits}@s.whatsapp.net`, lid: null, phone: `+${digits}` });
  const DANA = '972521234567';
  const erasure = (before = Date.now() + clock) => new Person({ jids: [chat(DANA).jid], ids: ['m-1'], beforeMs: before });
  const told = (digits, text) => events.append([{ type: 'message.received', data: { chat: chat(digits), text } }]);

  test('what tells of an erased person goes, waiting or dead or on its way; the rest comes', async () => {
    api.answers = ({ data }) => (data.text?.startsWith('old') ? 503 : data.text === 'others' ? 204 : 500);
    await told(DANA, 'old of Dana');
    await api.until(() => api.posts >= 1, 'a try');
    clock = DEAD_AFTER_MS;
    await told('972520000000', 'old of others');
    await api.until(() => events.dead === 1, 'the dead one');
    clock = 2 * DEAD_AFTER_MS;
    await told(DANA, 'of Dana, next');
    await events.append([{ type: 'message.status', data: { id: 'm-1', status: 'read' } }]);
    await events.append([{ type: 'message.status', data: { id: 'm-2', status: 'read' } }]);
    await told('972520000000', 'others');
    await api.until(() => events.dead === 2, 'the other dead one');
    assert.equal(await events.erase(erasure()), 3);
    assert.deepEqual([events.waiting, events.dead], [2, 1]);
    assert.deepEqual([await store.count('events'), await store.count('events_dead')], [2, 1]);
    api.answers = 204;
    await count(2);
    assert.equal(await events.retryDead(), 1);
    await count(3);
    assert.deepEqual(api.events.map(({ data }) => data.text ?? data.id), ['m-2', 'others', 'old of others']);
    await events.stop();
    assert.deepEqual([events.waiting, await store.count('events')], [0, 0]);
  });

  test('what was taken while it was being erased is counted once', async () => {
    for (let n = 0; n < 60; n += 1) await told(DANA, String(n));
    await Promise.all([events.erase(erasure()), told('972520000000', 'others')]);
    await api.until(() => texts().includes('others'), 'the other one');
    await events.stop();
    assert.deepEqual([events.waiting, await store.count('events')], [0, 0]);
  });

  test('who came anew afterwards is told of', async () => {
    api.answers = 503;
    await told(DANA, 'anew');
    assert.equal(await events.erase(erasure(Date.now() - 60_000)), 0);
    api.answers = 204;
    await count(1);
  });

  test('at its limit it is full, and tells when there is room', async () => {
    await events.stop();
    await store.close();
    await opened(10);
    api.answers = 503;
    for (let n = 0; n < 12; n += 1) await happen(n);
    assert.ok(events.full);
    assert.equal(room, 0);
    api.answers = 204;
    await count(12);
    await api.until(() => room === 1, 'the word of room');
    assert.ok(!events.full);
  });

  test('the order holds when the clock goes back', async () => {
    api.answers = 503;
    await happen(0);
    clock = -3_600_000;
    await happen(1);
    await happen(2);
    api.answers = 204;
    await count(3);
    assert.deepEqual(texts(), ['0', '1', '2']);
  });
});
