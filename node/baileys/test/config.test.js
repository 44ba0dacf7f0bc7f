import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

import { ConfigError, loadConfig } from '../src/config.js';

const folder = mkdtempSync(join(tmpdir(), 'sidecar-config-'));
test.after(() => rmSync(folder, { recursive: true }));
const base = { DATA_DIR: folder, BAILEYS_TOKEN: 'a-token-of-the-tests' };
const faults = (environ) => {
  try {
    loadConfig(environ);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
  return [];
};

test('nothing set: loopback, files, a token of its own', () => {
  const config = loadConfig({ DATA_DIR: folder, PORT: '8123' });
  assert.equal(config.host, '127.0.0.1');
  assert.equal(config.port, 3001);
  assert.equal(config.databaseUrl, null);
  assert.equal(config.eventsUrl, 'http://127.0.0.1:8123/webhook/whatsapp/baileys');
  const path = join(folder, 'baileys_token');
  assert.equal(readFileSync(path, 'utf8').trim(), config.token);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(loadConfig({ DATA_DIR: folder }).token, config.token);
});

test('anything but loopback needs a token that was given', () => {
  for (const host of ['0.0.0.0', '::', '192.168.1.5', 'sidecar']) {
    assert.match(faults({ DATA_DIR: folder, BAILEYS_HOST: host })[0], /BAILEYS_TOKEN must be set/);
    assert.deepEqual(faults({ ...base, BAILEYS_HOST: host }), []);
  }
  for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1']) assert.deepEqual(faults({ DATA_DIR: folder, BAILEYS_HOST: host }), []);
});

test('every fault is told, none with the secret', () => {
  const told = faults({
    DATA_DIR: folder,
    BAILEYS_TOKEN: 'short-secret',
    BAILEYS_PORT: '99999',
    DATABASE_URL: 'mysql://me:hunter2@db',
    VOICEAGENT_URL: 'nowhere',
    WA_VERSION: '2.3000',
    BAILEYS_PACE_MS: '9-1',
    BAILEYS_HOURLY_CAP: '-1',
    LOG_FORMAT: 'xml',
  });
  assert.equal(told.length, 8);
  assert.doesNotMatch(told.join(), /short-secret|hunter2/);
});

test('a secret may stand in a file', () => {
  const path = join(folder, 'secret');
  writeFileSync(path, 'a-token-in-a-file-of-mine\n');
  assert.equal(loadConfig({ DATA_DIR: folder, BAILEYS_TOKEN_FILE: path }).token, 'a-token-in-a-file-of-mine');
  assert.match(faults({ ...base, BAILEYS_TOKEN_FILE: path })[0], /both set/);
  assert.match(faults({ DATA_DIR: folder, BAILEYS_TOKEN_FILE: `${path}-not` })[0], /cannot be read \(ENOENT\)/);
});

test('addresses and versions are read as they are meant', () => {
  const config = loadConfig({ ...base, VOICEAGENT_URL: 'https://api.example//', WA_VERSION: '2.3000.1', BAILEYS_NEW_CHATS_DAILY_CAP: 'none' });
  assert.equal(config.eventsUrl, 'https://api.example/webhook/whatsapp/baileys');
  assert.deepEqual(config.waVersion, [2, 3000, 1]);
  assert.equal(config.limits.newChatsDaily, -1);
});
