import assert from 'node:assert/strict';
import test from 'node:test';

import { libraryLogger, makeLog, mask, said } from '../src/log.js';

test('numbers, ids and keys are hidden', () => {
  const rows = [
    ['to +972501234567 now', 'to +97250•••4567 now'],
    ['972501234567:7@s.whatsapp.net', '97250•••4567:7@s.whatsapp.net'],
    ['81234567890@lid', '8123•••7890@lid'],
    ['postgresql://me:secret@db/x', 'postgresql://me:•••@db/x'],
    [`key ${Buffer.from(Array.from({ length: 32 }, (_, n) => n * 7)).toString('base64')}`, 'key •••'],
    [`hex ${'0123456789abcdef'.repeat(4)}`, 'hex •••'],
    ['/a/long/path/to/some/Folder1/of/the/Machine/baileys_token', '/a/long/path/to/some/Folder1/of/the/Machine/baileys_token'],
    ['3EB095DE9BC8FD292C98C6', '3EB095DE9BC8FD292C98C6'],
  ];
  for (const [text, wanted] of rows) assert.equal(mask(text), wanted);
});

test('a line is one line, whatever is in it', () => {
  for (const format of ['logfmt', 'json']) {
    let written = '';
    makeLog(format, (line) => (written += line)).warning('two\nlines', { words: 'a "quote" \u202e \\ =', n: 3, nothing: null });
    assert.equal(written.split('\n').length, 2);
    assert.ok(!written.includes('nothing'));
  }
});

test('objects of the library are not printed', () => {
  let written = '';
  const logger = libraryLogger(makeLog('logfmt', (line) => (written += line)));
  const creds = { noiseKey: { private: Buffer.alloc(32, 65) } };
  logger.error({ creds, err: new Error('Bad MAC') }, 'failed to decrypt');
  logger.child({ creds }).info({ creds }, 'connected');
  logger.error(creds);
  assert.match(written, /failed to decrypt.*Bad MAC/);
  assert.doesNotMatch(written, /AAAA|QUFB|private|noiseKey/);
});

test('a restart that WhatsApp asks for is no warning', () => {
  let written = '';
  const logger = libraryLogger(makeLog('logfmt', (line) => (written += line)));
  for (const code of ['515', '503', '500']) {
    logger.error({ reasonNode: undefined, fullErrorNode: { tag: 'stream:error', attrs: { code } } }, 'stream errored out');
  }
  logger.error({ fullErrorNode: { tag: 'stream:error' } }, 'stream errored out');
  logger.error('stream errored out');
  const lines = written.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => /level=(\w+)/.exec(line)?.[1]),
    ['info', 'info', 'warning', 'warning', 'warning'],
  );
  assert.match(lines[0] ?? '', /closes the connection.*code=515/);
  assert.match(lines[2] ?? '', /stream errored out/);
});

test('an error says itself in one line', () => {
  assert.equal(said(new Error('a\n  b')), 'Error: a b');
  assert.equal(said('plain'), 'plain');
  assert.equal(said(1006), '1006');
});
