// The database goes away under a running sidecar, and comes back. Run by
// tests/whatsapp/test_sidecar_store.py, which has a database.
import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';
import test, { after, before, describe } from 'node:test';

import pg from 'pg';

import { messageIdOf } from '../src/records.js';
import { World, newId } from './support/world.js';

const DATABASE_URL = process.env.TEST_DATABASE_URL;
const TO = '+972521234567';

/** A way to the database that can be cut. */
class Cable {
  async start() {
    const url = new URL(DATABASE_URL.replace('@/', '@localhost/'));
    const folder = url.searchParams.get('host');
    const target = folder?.startsWith('/') ? { path: `${folder}/.s.PGSQL.5432` } : { host: url.hostname, port: Number(url.port || 5432) };
    this.sockets = new Set();
    this.cut = false;
    this.server = createServer((near) => {
      if (this.cut) return near.destroy();
      const far = connect(target);
      for (const [one, other] of [[near, far], [far, near]]) {
        this.sockets.add(one);
        one.on('error', () => {}).on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    url.searchParams.delete('host');
    url.hostname = '127.0.0.1';
    url.port = String(this.server.address().port);
    this.url = url.href;
    return this;
  }

  sever() {
    this.cut = true;
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  mend() {
    this.cut = false;
  }

  stop() {
    this.sever();
    this.server.close();
  }
}

describe('without its database', { skip: DATABASE_URL ? false : 'no TEST_DATABASE_URL; tests/whatsapp/test_sidecar_store.py runs it' }, () => {
  const world = new World();
  let cable, dana;
  before(async () => {
    const client = new pg.Client(DATABASE_URL);
    await client.connect();
    await client.query('DROP SCHEMA IF EXISTS whatsapp_sidecar CASCADE');
    await client.end();
    cable = await new Cable().start();
    await world.connected({ DATABASE_URL: cable.url });
    dana = world.fake.person(TO.slice(1));
  });
  after(async () => {
    await world.stop();
    cable.stop();
  });

  test('nothing is confirmed to WhatsApp that could not be kept; all comes when it is back', async () => {
    const { sidecar, fake, api } = world;
    cable.sever();
    const id = await fake.write(dana, { conversation: 'בלי מסד' });
    const { reason } = await sidecar.state('paused');
    assert.equal(reason.code, 'store_away');
    assert.ok(fake.pending.has(`message:${id}`), 'it was confirmed');
    const refused = await sidecar.send({ id: newId(), to: TO, text: 'א' });
    assert.deepEqual([refused.status, refused.body.code], [503, 'store_away']);
    assert.equal((await sidecar.get('/healthz')).status, 200);
    assert.deepEqual((await sidecar.get('/readyz')).body.store, 'err');
    cable.mend();
    await sidecar.state('open');
    await api.received('בלי מסד');
    assert.equal(api.of('message.received').filter((data) => data.message_id === id).length, 1);
    assert.equal((await world.sent({ id: newId(), to: TO, text: 'שוב כאן' })).status, 200);
  });

  test('cut while messages are being sent: none twice, each has an honest answer', async () => {
    const { sidecar, fake } = world;
    fake.receipts = 'none';
    const ids = Array.from({ length: 12 }, () => newId());
    const all = Promise.all(ids.map((id) => sidecar.send({ id, to: TO, text: `בחיתוך ${id}` })));
    await fake.until(() => fake.framesOf(messageIdOf(ids[2])) === 1, 'the third');
    cable.sever();
    const answers = await all;
    cable.mend();
    await sidecar.state('open');
    for (const [n, id] of ids.entries()) {
      if (answers[n].status === 503) assert.equal(fake.framesOf(messageIdOf(id)), 0, `${id} was sent and answered 503`);
      // It may find only now that its connections to the database are gone.
      const again = await world.sent({ id, to: TO, text: `בחיתוך ${id}` });
      assert.ok(again.status === 200 || (again.status === 202 && again.body.status === 'unknown'), JSON.stringify(again.body));
      assert.equal(fake.framesOf(messageIdOf(id)), 1);
    }
    assert.deepEqual(fake.faults, []);
  });
});
