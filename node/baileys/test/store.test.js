// One behaviour, two stores: the one in files, or, when TEST_DATABASE_URL names a database (as
// tests/whatsapp/test_sidecar_store.py has it with an embedded one), that in PostgreSQL.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test, { describe } from 'node:test';

import pg from 'pg';

import { ownIdentity } from '../src/store/identity.js';
import { FileStore } from '../src/store/files.js';
import { PostgresStore } from '../src/store/postgres.js';
import { LEASE_MS, OwnerLost, StoreAway } from '../src/store/store.js';

const DATABASE_URL = process.env.TEST_DATABASE_URL;
const log = { debug() {}, info() {}, warning() {}, error() {} };

const FILES = {
  async place() {
    const folder = mkdtempSync(join(tmpdir(), 'sidecar-store-'));
    return { folder, end: () => rmSync(folder, { recursive: true }) };
  },
  open: ({ folder }) => new FileStore(folder, log, { compactFromBytes: 20_000 }),
  // As if the owner had stopped to renew long ago.
  expire: ({ folder }) => utimesSync(join(folder, 'owner'), 1, (Date.now() - LEASE_MS) / 1000 - 1),
  dead(place, pid) {
    writeFileSync(join(place.folder, 'owner'), JSON.stringify({ ...ownIdentity(), pid, started: '1' }));
  },
};

const POSTGRES = {
  async place() {
    const client = new pg.Client(DATABASE_URL);
    await client.connect();
    await client.query('DROP SCHEMA IF EXISTS whatsapp_sidecar CASCADE');
    return { client, end: () => client.end() };
  },
  open: () => new PostgresStore(DATABASE_URL, log),
  expire: ({ client }) => client.query(`UPDATE whatsapp_sidecar.lease SET expires_at = now() - interval '1 s'`),
  dead: ({ client }, pid) =>
    client.query('UPDATE whatsapp_sidecar.lease SET owner = $1', [JSON.stringify({ ...ownIdentity(), pid, started: '1' })]),
};

for (const [name, kind] of [DATABASE_URL ? ['postgres', POSTGRES] : ['files', FILES]]) {
  describe(`the store in ${name}`, () => {
    let place;
    let open;
    test.beforeEach(async () => {
      place = await kind.place();
      open = [];
    });
    test.afterEach(async () => {
      for (const store of open) await store.close().catch(() => {});
      await place.end();
    });
    const opened = () => {
      const store = kind.open(place);
      open.push(store);
      return store;
    };
    const owned = async () => {
      const store = opened();
      assert.equal(await store.acquire(), true);
      return store;
    };
    const again = async (store) => {
      await store.close();
      open.splice(open.indexOf(store), 1);
      return owned();
    };
    const put = (key, value, more = {}) => ({ table: 'things', key, value, ...more });

    test('what was written is read, also by the next owner', async () => {
      const values = { a: { text: 'שלום \u0000 "x"' }, b: [1, 'two', null], c: 'plain', d: 7, e: false };
      let store = await owned();
      await store.write(Object.entries(values).map(([key, value]) => put(key, value)));
      for (const _ of [1, 2]) {
        assert.deepEqual(Object.fromEntries(await store.read('things', ['a', 'b', 'c', 'd', 'e', 'none'])), values);
        assert.equal((await store.read('others', ['a'])).size, 0);
        store = await again(store);
      }
    });

    test('a key is any text, whoever wrote it', async () => {
      const store = await owned();
      const keys = ['a\0b', '\0', '\ud800', '😀', '__proto__', 'constructor'];
      await store.write(keys.map((key) => put(key, { key })));
      for (const key of keys) assert.deepEqual([...(await store.read('things', [key])).keys()], [key], JSON.stringify(key));
      await store.write([put('c\0', 1), put('c\ufffd', 2), put('c\0', 3)]);
      await store.write(keys.map((key) => put(key, null)));
      for (const key of keys) assert.equal((await store.read('things', [key])).size, 0);
    });

    test('null deletes; the last put of a batch wins', async () => {
      let store = await owned();
      await store.write([put('a', 1), put('b', 2)]);
      await store.write([put('a', null), put('b', 3), put('b', 4), put('c', 5), put('c', null)]);
      store = await again(store);
      assert.deepEqual([...(await store.read('things', ['a', 'b', 'c']))], [['b', 4]]);
      assert.equal(await store.count('things'), 1);
    });

    test('tables are in the order of their keys, in steps', async () => {
      const store = await owned();
      const keys = ['b', 'a', 'B', 'a/2', 'ת', '10', '9'];
      await store.write(keys.map((key) => put(key, key)));
      const sorted = [...keys].sort();
      assert.deepEqual((await store.scan('things')).map(({ key }) => key), sorted);
      assert.deepEqual((await store.scan('things', { after: sorted[2], limit: 2 })).map(({ value }) => value), sorted.slice(3, 5));
      assert.equal(await store.lastKey('things'), sorted.at(-1));
      assert.equal(await store.lastKey('none'), null);
    });

    test('many writes at once are all kept, in order', async () => {
      let store = await owned();
      await Promise.all(Array.from({ length: 1500 }, (_, n) => store.write([put('last', n), put(`k${n}`, 'x'.repeat(50))])));
      store = await again(store);
      assert.equal((await store.read('things', ['last'])).get('last'), 1499);
      assert.equal(await store.count('things'), 1501);
    });

    test('what has expired is deleted when asked, the rest stays', async () => {
      const store = await owned();
      const now = Date.now();
      await store.write([put('old', 1, { expiresAt: now - 1 }), put('new', 2, { expiresAt: now + 60_000 }), put('ever', 3)]);
      assert.equal(await store.prune(now), 1);
      assert.deepEqual((await store.scan('things')).map(({ key }) => key), ['ever', 'new']);
    });

    test('what was deleted is scrubbed, the rest stays, also while it is written', async () => {
      let store = await owned();
      await store.write([put('a', 'a secret'), put('b', 'no secret')]);
      await store.write([put('a', null)]);
      await Promise.all([store.scrub(), store.write([put('c', 1)]), store.scrub(), store.write([put('d', 2)])]);
      if (place.folder) assert.equal(readFileSync(join(place.folder, 'store.log'), 'utf8').includes('a secret'), false);
      store = await again(store);
      assert.deepEqual((await store.scan('things')).map(({ key }) => key), ['b', 'c', 'd']);
    });

    test('there is one owner at a time', async () => {
      const [first, second] = [await owned(), opened()];
      assert.equal(await second.acquire(), false);
      assert.equal(await first.acquire(), true);
      await first.renew();
      await first.close();
      assert.equal(await second.acquire(), true);
    });

    test('an owner that was slow finds itself fenced off', async () => {
      const [first, second] = [await owned(), opened()];
      await first.write([put('a', 'first')]);
      await kind.expire(place);
      assert.equal(await second.acquire(), true);
      await second.write([put('a', 'second')]);
      await assert.rejects(first.write([put('a', 'too late')]), OwnerLost);
      await assert.rejects(first.renew(), OwnerLost);
      await first.prune(Infinity).catch(() => {});
      assert.equal((await second.read('things', ['a'])).get('a'), 'second');
      await second.renew();
    });

    test('the place of a process that has ended is free at once', async () => {
      const first = await owned();
      await first.write([put('a', 1)]);
      const ended = spawn(process.execPath, ['-e', '']);
      await new Promise((resolve) => ended.once('exit', resolve));
      await kind.dead(place, ended.pid);
      const second = await owned();
      assert.equal((await second.read('things', ['a'])).get('a'), 1);
    });

    test('the place of another running process is not', async () => {
      const first = await owned();
      await kind.dead(place, process.ppid);
      const script = `import('${resolve(import.meta.dirname ?? '.', '../src/store/identity.js')}').then(({ ownIdentity }) => { console.log(JSON.stringify(ownIdentity())); setTimeout(() => {}, 60000); })`;
      const running = spawn(process.execPath, ['-e', script]);
      const identity = JSON.parse(await new Promise((resolve) => running.stdout.once('data', (data) => resolve(String(data)))));
      if (place.folder) writeFileSync(join(place.folder, 'owner'), JSON.stringify(identity));
      else await place.client.query(`UPDATE whatsapp_sidecar.lease SET owner = $1, expires_at = now() + interval '1 h'`, [JSON.stringify(identity)]);
      assert.equal(await opened().acquire(), false);
      running.kill();
      void first;
    });
  });
}

describe('the log of the store in files', () => {
  let folder;
  test.beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sidecar-log-'))));
  test.afterEach(() => rmSync(folder, { recursive: true }));
  const opened = async (options) => {
    const store = new FileStore(folder, log, options);
    assert.equal(await store.acquire(), true);
    return store;
  };
  const put = (key, value) => ({ table: 'things', key, value });

  test('a torn end is cut off and kept aside, what was promised stays', async () => {
    let store = await opened();
    await store.write([put('a', 1)]);
    await store.write([put('b', 2), put('c', 3)]);
    await store.close();
    const whole = readFileSync(join(folder, 'store.log'));
    for (const cut of [whole.length - 1, whole.length - 20]) {
      writeFileSync(join(folder, 'store.log'), whole.subarray(0, cut));
      store = await opened();
      assert.deepEqual((await store.scan('things')).map(({ key }) => key), ['a']);
      await store.write([put('d', 4)]);
      await store.close();
      store = await opened();
      assert.deepEqual((await store.scan('things')).map(({ key }) => key), ['a', 'd']);
      await store.close();
    }
    appendFileSync(join(folder, 'store.log'), '12345678 [["things","e","5"]]\n');
    store = await opened();
    assert.equal((await store.read('things', ['e'])).size, 0);
    await store.close();
    assert.ok(readdirSync(folder).some((name) => name.startsWith('store.log.cut-')));
  });

  test('what was torn off goes when the store is scrubbed', async () => {
    let store = await opened();
    await store.write([put('a', 1)]);
    await store.close();
    appendFileSync(join(folder, 'store.log'), 'half a li');
    store = await opened();
    const cut = () => readdirSync(folder).filter((name) => name.startsWith('store.log.cut-'));
    assert.equal(cut().length, 1);
    await store.scrub();
    assert.deepEqual(cut(), []);
    await store.close();
  });

  test('it does not grow without end, also while it is written', async () => {
    let store = await opened({ compactFromBytes: 10_000 });
    for (let round = 0; round < 40; round += 1) {
      await Promise.all(Array.from({ length: 20 }, (_, n) => store.write([put(`k${n}`, `${round} ${'x'.repeat(100)}`)])));
    }
    await store.compacting;
    assert.ok(statSync(join(folder, 'store.log')).size < 40_000);
    await store.close();
    store = await opened();
    const all = await store.scan('things');
    assert.equal(all.length, 20);
    assert.ok(all.every(({ value }) => value.startsWith('39 ')));
    await store.close();
  });

  test('nobody else may read it', async () => {
    const store = await opened();
    await store.write([put('a', 1)]);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, 'store.log')).mode & 0o777, 0o600);
    await store.close();
  });

  test('a disk that fails is a store that is away, and comes back', async () => {
    const store = await opened();
    await store.write([put('a', 1)]);
    const { file } = store;
    const appendFile = file.appendFile;
    file.appendFile = async () => {
      await appendFile.call(file, 'half a li');
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    };
    await assert.rejects(store.write([put('b', 2)]), StoreAway);
    file.appendFile = appendFile;
    await assert.rejects(store.write([put('b', 2)]), StoreAway);
    await store.renew();
    await store.write([put('c', 3)]);
    await store.close();
    const next = await opened();
    assert.deepEqual((await next.scan('things')).map(({ key }) => key), ['a', 'c']);
    await next.close();
  });
});
