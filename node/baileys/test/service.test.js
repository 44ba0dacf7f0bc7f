// The service as a whole: who is let in, what is logged, how it stops.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';

import { Sidecar } from './support/sidecar.js';
import { World, newId } from './support/world.js';

const TO = '+972521234567';

describe('the service', () => {
  const world = new World();
  before(async () => {
    await world.connected({ BAILEYS_EVENTS_MAX: '10' });
    world.fake.person(TO.slice(1));
  });
  after(() => world.stop());

  test('without the token nothing is told but health', async () => {
    const { sidecar } = world;
    for (const authorization of ['', 'Bearer wrong', 'Basic eA==', `Bearer ${'x'.repeat(5000)}`]) {
      for (const [method, path] of [['GET', '/v1/session'], ['POST', '/v1/messages'], ['GET', '/v1/nothing'], ['GET', '/']]) {
        const { status, headers } = await sidecar.call(method, path, method === 'POST' ? {} : undefined, { authorization });
        assert.equal(status, 401);
        assert.equal(headers.get('www-authenticate'), 'Bearer');
      }
      const health = await sidecar.call('GET', '/healthz', undefined, { authorization });
      assert.deepEqual([health.status, health.body], [200, 'ok']);
    }
  });

  test('routes and methods that are none are problems', async () => {
    const { sidecar } = world;
    assert.equal((await sidecar.get('/v1/nothing')).status, 404);
    assert.equal((await sidecar.call('DELETE', '/v1/session')).status, 405);
    assert.equal((await sidecar.get('/v1/messages/%E0%A4%A')).status, 404);
    assert.equal((await sidecar.call('POST', '/v1/messages', Buffer.from([0xff, 0xfe]).toString('latin1'))).status, 400);
    assert.equal((await sidecar.post('/v1/messages', null)).status, 422);
  });

  test('a body that is too large is refused', async () => {
    const { status } = await world.sidecar.call('POST', '/v1/messages', `"${'x'.repeat(25 * 1024 * 1024)}"`).catch(() => ({ status: 413 }));
    assert.equal(status, 413);
  });

  test('readiness and metrics tell how it stands', async () => {
    const { sidecar } = world;
    const ready = await sidecar.get('/readyz');
    assert.deepEqual([ready.status, ready.body], [200, { store: 'ok', whatsapp: 'open', events: 'ok' }]);
    await world.sent({ id: newId(), to: TO, text: 'נספרת' });
    const { body } = await sidecar.get('/metrics');
    assert.match(body, /^baileys_session_state\{state="open"\} 1$/m);
    assert.match(body, /^baileys_messages_out_total\{status="sent"\} 1$/m);
    assert.match(body, /^# TYPE baileys_messages_out_total counter$/m);
  });

  test('when too many events wait, WhatsApp keeps the messages; nothing is lost', async () => {
    const { sidecar, fake, api } = world;
    const dana = fake.person(TO.slice(1));
    api.answers = 503;
    const ids = [];
    for (let n = 0; n < 14; n += 1) ids.push(await fake.write(dana, { conversation: `מבול ${n}` }));
    const { reason } = await sidecar.state('paused');
    assert.equal(reason.code, 'events_full');
    assert.equal((await sidecar.get('/readyz')).body.events, 'full');
    const answer = await sidecar.send({ id: newId(), to: TO, text: 'א' });
    assert.deepEqual([answer.status, answer.body.code], [503, 'busy']);
    for (let n = 14; n < 20; n += 1) ids.push(await fake.write(dana, { conversation: `מבול ${n}` }));
    api.answers = 204;
    await api.received('מבול 19');
    await sidecar.state('open');
    const came = api.of('message.received').filter(({ text }) => text?.startsWith('מבול')).map(({ message_id }) => message_id);
    assert.deepEqual([...came].sort(), [...ids].sort());
  });

  test('an unhandled rejection is one line, and the session goes on', async () => {
    const { fake } = world;
    const sidecar = await world.restart('SIGKILL', { NODE_OPTIONS: `--import ${new URL('fake/rejects.js', import.meta.url)}` });
    await sidecar.said(/msg="An unhandled rejection was survived" error="Error: from a timer"/);
    await sidecar.state('open');
    assert.equal((await world.sent({ id: newId(), to: TO, text: 'עדיין כאן' })).status, 200);
    assert.deepEqual(fake.faults, []);
  });

  test('SIGTERM lets what is being sent end, and refuses more', async () => {
    const { sidecar, fake } = world;
    fake.acks = 'hold';
    fake.receipts = 'none';
    const id = newId();
    const under = sidecar.send({ id, to: TO, text: 'ממש עכשיו' });
    await fake.until(() => fake.held.length === 1, 'the frame');
    const end = sidecar.kill('SIGTERM');
    await sidecar.state('draining');
    assert.equal((await sidecar.get('/readyz')).status, 503);
    const refused = await sidecar.send({ id: newId(), to: TO, text: 'מאוחר' });
    assert.deepEqual([refused.status, refused.body.code], [503, 'draining']);
    fake.release();
    assert.ok((await under).status < 300);
    assert.deepEqual(await end, { code: 0, signal: null });
    await world.restart();
    await world.sidecar.state('open');
    assert.equal((await world.sidecar.get(`/v1/messages/${id}`)).body.status, 'sent');
    fake.acks = 'ack';
  });

  test('a second sidecar over the same data stands by, and takes over', async () => {
    const second = await new Sidecar(world.environ).start();
    try {
      await second.state('standby');
      const { status, body } = await second.send({ id: newId(), to: TO, text: 'שתיים' });
      assert.deepEqual([status, body.code], [503, 'not_connected']);
      await world.sidecar.kill();
      await second.state('open');
      assert.ok((await second.send({ id: newId(), to: TO, text: 'עכשיו אני' })).status < 300);
    } finally {
      await second.kill();
    }
  });

  test('no private key and no number stands in any line', async () => {
    // All that is secret in the store, in every writing that a library might choose.
    const secrets = new Set();
    const collect = (value, name = '') => {
      if (typeof value === 'string' && /^[A-Za-z0-9+/]{40,}={0,2}$/.test(value) && !/pub|public/i.test(name)) secrets.add(value);
      else if (value !== null && typeof value === 'object') for (const [key, one] of Object.entries(value)) collect(one, /pub/i.test(key) ? key : name || key);
    };
    for (const line of readFileSync(join(world.folder, 'baileys', 'store.log'), 'utf8').split('\n').filter(Boolean)) {
      for (const [table, , json] of JSON.parse(line.slice(9))) if (json !== null && table !== 'outgoing' && table !== 'inbound') collect(JSON.parse(json));
    }
    assert.ok(secrets.size > 100, `${secrets.size} secrets`);
    const { output } = world;
    assert.ok(output.length > 1000);
    for (const secret of secrets) {
      const bytes = Buffer.from(secret, 'base64');
      for (const writing of [secret, bytes.toString('hex'), bytes.toString('base64url'), [...bytes.subarray(0, 8)].join(', '), bytes.toString('hex').slice(0, 8).replace(/(..)/g, '$1 ').trim()]) {
        assert.ok(!output.includes(writing), 'a secret is in the log');
      }
    }
    assert.doesNotMatch(output, /9725[0-9]{8}/);
    assert.doesNotMatch(output, /privKey|rootKey|chainKey|SessionEntry/);
  });
});

test('what is wrong with the settings is told, and it does not start', async () => {
  const sidecar = new Sidecar({ BAILEYS_TOKEN: '', BAILEYS_HOST: '0.0.0.0', DATA_DIR: '/nonexistent', LOG_FORMAT: 'json' });
  sidecar.start().catch(() => {});
  assert.deepEqual(await sidecar.ended, { code: 2, signal: null });
  assert.match(sidecar.output, /"level":"error".*BAILEYS_TOKEN must be set to listen on 0\.0\.0\.0/);
});

test('a database that is not there is told; health and state answer', async () => {
  const world = new World();
  try {
    await world.start({ DATABASE_URL: 'postgresql://me:hunter2@127.0.0.1:1/none' });
    const { sidecar } = world;
    await sidecar.said(/level=error .*The store is away/);
    assert.equal((await sidecar.get('/healthz')).status, 200);
    assert.equal((await sidecar.get('/readyz')).status, 503);
    const { status, body } = await sidecar.send({ id: newId(), to: TO, text: 'א' });
    assert.deepEqual([status, body.code], [503, 'store_away']);
    assert.equal((await sidecar.get('/v1/session')).body.reason.code, 'store_away');
    assert.doesNotMatch(sidecar.output, /hunter2/);
  } finally {
    await world.stop();
  }
});
