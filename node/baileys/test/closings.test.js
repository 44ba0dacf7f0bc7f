import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';

import { World, newId } from './support/world.js';

const TO = '+972521234567';

describe('every closing code does what its row says', () => {
  const world = new World();
  before(async () => {
    await world.connected();
    world.fake.person(TO.slice(1));
  });
  after(() => world.stop());

  for (const code of [515, 428, 503, 408, null, 500]) {
    test(`${code ?? 'no code'}: it connects again by itself, with the same credentials`, async () => {
      // Waits grow with every loss; a new process has forgotten them.
      if ((await world.sidecar.get('/v1/session')).body.attempt > 1) await world.restart();
      const { sidecar, fake } = world;
      await sidecar.state('open');
      const { logins, pairings } = fake;
      fake.closeWith(code);
      await fake.until(() => fake.logins > logins && fake.online.length === 1, 'the next login');
      await sidecar.state('open');
      assert.equal(fake.pairings, pairings);
    });
  }

  for (const [code, words] of [
    [402, /restricted or banned/],
    [403, /restricted or banned/],
    [406, /restricted or banned/],
    [411, /linked devices/],
    [405, /WA_VERSION/],
  ]) {
    test(`${code}: it stops and says what to do; a start goes on with the same credentials`, async () => {
      const { sidecar, fake, api } = world;
      fake.refuseLogin = code;
      const { logins } = fake;
      fake.closeWith(503);
      const { reason, advice, next_attempt_at } = await sidecar.state('stopped');
      assert.equal(reason.code, code);
      assert.match(`${reason.text} ${advice}`, words);
      assert.equal(next_attempt_at, null);
      await api.until(() => api.of('session.state').some((data) => data.state === 'stopped' && data.reason.code === code), 'the word of it');
      const answer = await sidecar.send({ id: newId(), to: TO, text: 'א' });
      assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '300']);
      assert.equal(fake.logins, logins + 1);
      fake.refuseLogin = null;
      await sidecar.post('/v1/session/start');
      await sidecar.state('open');
    });
  }

  test('440: it waits half a minute, and when it is replaced again it stops', async () => {
    const { sidecar, fake } = world;
    fake.closeWith(440);
    const { reason, since, next_attempt_at } = await sidecar.state('waiting');
    assert.equal(reason.code, 440);
    assert.ok(Date.parse(next_attempt_at) - Date.parse(since) > 28_000);
    await sidecar.post('/v1/session/start');
    await sidecar.state('open');
    fake.closeWith(440);
    assert.match((await sidecar.state('stopped')).advice, /other program/);
    await sidecar.post('/v1/session/start');
    await sidecar.state('open');
  });

  test('a proxy that answers 401 is no logout', async () => {
    const { sidecar, fake } = world;
    fake.server.options.verifyClient = (_, done) => done(false, 401);
    fake.closeWith(null);
    await sidecar.said(/The connection to WhatsApp has ended" code=401/);
    const { state, reason } = (await sidecar.get('/v1/session')).body;
    assert.ok(['waiting', 'connecting'].includes(state), state);
    assert.match(reason.text, /WebSocket failed/);
    fake.server.options.verifyClient = null;
    await sidecar.state('open');
  });

  test('401: credentials are put aside and a new QR code is there', async () => {
    const { sidecar, fake, api } = world;
    const { pairings } = fake;
    fake.closeWith(401);
    const body = await sidecar.state('pairing');
    assert.deepEqual([body.reason.code, body.account], [401, null]);
    await api.until(() => api.of('session.state').some((data) => data.state === 'logged_out' && data.reason.code === 401), 'the word of it');
    await sidecar.pair(fake);
    assert.equal(fake.pairings, pairings + 1);
    assert.equal((await world.sent({ id: newId(), to: TO, text: 'חדש' })).status, 200);
  });

  test('all of it was lines in the log, and no crash', () => {
    assert.doesNotMatch(world.output, /nobody caught/);
    assert.equal(world.sidecar.process.exitCode, null);
  });
});
