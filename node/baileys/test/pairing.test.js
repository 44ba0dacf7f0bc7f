import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';

import { World, newId, text } from './support/world.js';

describe('pairing', () => {
  const world = new World();
  before(() => world.start());
  after(() => world.stop());

  test('before it nothing can be sent, and the answer says what to do', async () => {
    const { sidecar } = world;
    await sidecar.state('pairing');
    const { status, headers, body } = await sidecar.send({ id: newId(), to: '+972521000001', text: 'א' });
    assert.equal(status, 503);
    assert.equal(body.code, 'not_connected');
    assert.match(body.detail, /Scan the QR code/);
    assert.ok(Number(headers.get('retry-after')) > 0);
    assert.equal(headers.get('content-type'), 'application/problem+json');
  });

  test('the QR code comes as text, as a picture and as modules', async () => {
    const { status, body } = await world.sidecar.get('/v1/session/qr');
    assert.equal(status, 200);
    assert.match(body.qr, /#2@ref/);
    assert.match(body.svg, /^<svg[^>]+>.*<\/svg>$/s);
    const finder = ['1111111', '1000001', '1011101', '1011101', '1011101', '1000001', '1111111'];
    assert.deepEqual(body.rows.slice(0, 7).map((row) => row.slice(0, 7)), finder);
    assert.ok(body.rows.every((row) => row.length === body.rows.length && /^[01]+$/.test(row)));
    assert.ok(Date.parse(body.expires_at) > Date.now());
  });

  test('by QR code', async () => {
    const { sidecar, fake } = world;
    await sidecar.pair(fake);
    const { body } = await sidecar.get('/v1/session');
    assert.deepEqual(body.account, { phone: '+972500000001', lid: '90000000000001@lid', name: 'The business' });
    assert.equal((await sidecar.get('/v1/session/qr')).status, 404);
    const states = world.api.of('session.state').map(({ state }) => state);
    assert.ok(states.includes('pairing'));
  });

  test('a paired session gives no pairing code', async () => {
    const { status, body } = await world.sidecar.post('/v1/session/pairing-code', { phone: '+972500000001' });
    assert.deepEqual([status, body.code], [409, 'wrong_state']);
  });

  test('it is the same session after a restart', async () => {
    const sidecar = await world.restart('SIGTERM');
    await sidecar.state('open');
    assert.equal(world.fake.pairings, 1);
  });

  test('logging out unlinks the device and waits', async () => {
    const { sidecar, fake, api } = world;
    assert.equal((await sidecar.post('/v1/session/logout')).status, 202);
    const body = await sidecar.state('logged_out');
    assert.equal(body.account, null);
    assert.equal(fake.device, null);
    await api.until(() => api.of('session.state').some(({ state }) => state === 'logged_out'), 'the word of it');
    assert.equal((await sidecar.get('/v1/session')).body.state, 'logged_out');
  });

  test('by a code typed on the phone', async () => {
    const { sidecar, fake } = world;
    await sidecar.post('/v1/session/start');
    await sidecar.state('pairing');
    const { status, body } = await sidecar.post('/v1/session/pairing-code', { phone: '+972500000001' });
    assert.equal(status, 200);
    assert.match(body.code, /^[0-9A-Z]{8}$/);
    await fake.until(() => fake.pairingRequest, 'the request for a code');
    await fake.typeCode(body.code);
    await sidecar.state('open');
    fake.person('972521000001');
    const sent = await world.sent({ id: newId(), to: '+972521000001', text: 'שלום אחרי קוד' });
    assert.equal(sent.status, 200, JSON.stringify(sent.body));
    await fake.until(() => fake.delivered.some(({ message }) => text(message) === 'שלום אחרי קוד'), 'the message');
  });

  test('a code that nobody types does not spoil the next start', async () => {
    const { sidecar, fake } = world;
    await sidecar.post('/v1/session/logout');
    await sidecar.state('logged_out');
    await sidecar.post('/v1/session/start');
    await sidecar.state('pairing');
    await sidecar.post('/v1/session/pairing-code', { phone: '+972500000001' });
    const again = await world.restart();
    await again.state('pairing');
    await again.pair(fake);
    assert.deepEqual(fake.faults, []);
  });
});
