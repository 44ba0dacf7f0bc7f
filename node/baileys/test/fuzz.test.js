// What anybody may ask of the HTTP interface, and what WhatsApp may hand over: no crash, nothing but
// what README.md documents, no hang. FUZZ_SEED and FUZZ_ROUNDS: other input, and more of it.
// FUZZ_DATABASE_URL: with the store in PostgreSQL.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { after, before, describe } from 'node:test';

import { proto } from 'baileys';

import { account, textOf } from '../src/inbound.js';
import { erasureRequest, sendRequest } from '../src/requests.js';
import { Problem } from '../src/problems.js';
import { VALUES, altered, chance, mangled, one } from './support/odd.js';
import { TOKEN } from './support/sidecar.js';
import { World } from './support/world.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20);
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 1);
const WITHIN_MS = 30_000;
const TO = '+972521234567';
const DOCUMENTED = new Set([200, 202, 400, 401, 404, 405, 409, 410, 413, 422, 429, 502, 503]);
const CODES = /^(bad_request|unauthorised|not_found|erased|other_body|wrong_state|too_large|bad_message|bad_number|not_on_whatsapp|unknown_quoted|refused|hourly_cap|daily_cap|new_chats_cap|new_chats_paused|pace|media_failed|gone|not_connected|not_sent|store_away|draining|busy|method_not_allowed)$/;

const file = { data: 'aGVsbG8=', mime_type: 'image/png', caption: 'c' };
const MESSAGES = [
  { id: 'f-1', to: TO, wait_ms: 0, text: 'שלום', quoted: { message_id: '3EB0', text: 'שאלה', from_me: false } },
  { id: 'f-2', to: '1203@lid', wait_ms: 0, image: file },
  { id: 'f-3', to: TO, wait_ms: 0, document: { ...file, mime_type: 'application/pdf', file_name: 'a.pdf' } },
  { id: 'f-4', to: TO, wait_ms: 0, audio: { data: 'aGVsbG8=', mime_type: 'audio/ogg; codecs=opus', voice_note: true, seconds: 4 } },
  { id: 'f-5', to: TO, wait_ms: 0, location: { latitude: 32.08, longitude: 34.78, name: 'n', address: 'a' } },
  { id: 'f-6', to: TO, wait_ms: 0, reaction: { message_id: '3EB0', emoji: '👍' } },
];
const ERASURE = { phones: [TO], lids: ['1203@lid'], message_ids: ['f-9'], before: '2026-11-26T16:57:01.123Z' };
const BODIES = [...MESSAGES, ERASURE, { phone: TO }];
const PATHS = [
  '/v1/messages', '/v1/messages/f-1', '/v1/session', '/v1/session/start', '/v1/session/pairing-code', '/v1/session/qr',
  '/v1/media/3A5F', '/v1/events/retry', '/v1/people/erase', '/healthz', '/readyz', '/metrics',
  '/v1/messages/%00', '/v1/messages/a%00b', '/v1/messages/%ff', '/v1/messages/%E0%A4%A', '/v1/messages/..%2F..%2Fx', '/v1/media/%00',
  '/v1/media/__proto__', '/v1/messages/constructor', `/v1/messages/${'x'.repeat(400)}`, `/v1/messages/${'x'.repeat(4000)}`, '//', '/?', '/v1/messages?x=%00',
];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];

/** What a phone may send, as the protobuf of the library takes it. */
const INBOUND = [
  { conversation: 'שלום' },
  { extendedTextMessage: { text: 'a', contextInfo: { stanzaId: '3A', participant: 'x@lid', quotedMessage: { conversation: 'q' } } } },
  { imageMessage: { mimetype: 'image/png', caption: 'c', fileLength: 5, width: 1, height: 2, fileSha256: Buffer.from('00', 'hex') } },
  { audioMessage: { mimetype: 'audio/ogg', seconds: 4, ptt: true, fileLength: 5 } },
  { documentMessage: { mimetype: 'application/pdf', fileName: 'a', title: 't' } },
  { locationMessage: { degreesLatitude: 1, degreesLongitude: 2, name: 'n' } },
  { reactionMessage: { key: { id: '3A', remoteJid: 'x@lid' }, text: '👍' } },
  { contactMessage: { displayName: 'd', vcard: 'v' } },
  { protocolMessage: { type: 0, key: { id: '3A' } } },
  { protocolMessage: { type: 14, key: { id: '3A' }, editedMessage: { conversation: 'new' } } },
  { ephemeralMessage: { message: { viewOnceMessage: { message: { videoMessage: { seconds: 3 } } } } } },
  { listResponseMessage: { title: 't' } },
  {},
];

/** Fails unless it is over in time. */
async function inTime(work, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${WITHIN_MS} ms: ${what}`)), WITHIN_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

test('checks of bodies refuse with a problem, and nothing else', () => {
  const next = chance(SEED);
  for (let round = 0; round < 1_000 * ROUNDS; round += 1) {
    const [check, body] = one(next, [[sendRequest, altered(next, one(next, MESSAGES))], [erasureRequest, altered(next, ERASURE)]]);
    try {
      check(body);
    } catch (error) {
      assert.ok(error instanceof Problem, `${error.stack}\n${JSON.stringify(body).slice(0, 300)}`);
    }
  }
});

test('whatever the library hands over becomes an event that is JSON in Unicode, or nothing', () => {
  const next = chance(SEED + 1);
  for (let round = 0; round < 1_000 * ROUNDS; round += 1) {
    let message;
    try {
      // Only what the protobuf can hold leaves a phone.
      message = proto.Message.decode(proto.Message.encode(proto.Message.fromObject(altered(next, one(next, INBOUND)))).finish());
    } catch {
      continue;
    }
    const texts = VALUES.filter((value) => typeof value === 'string');
    const key = { remoteJid: one(next, ['1203@lid', '972521234567@s.whatsapp.net', '1203:4@lid', '', 'x@g.us']), id: one(next, texts), fromMe: next() < 0.2 };
    const told = account({ key, message, pushName: one(next, texts), messageTimestamp: one(next, [0, -1, 1e12, 1_700_000_000]) }, false);
    if (told === null) continue;
    assert.match(told.type, /^message\.(received|changed|undecrypted)$/);
    JSON.parse(JSON.stringify(told.data));
  }
});

test('a text that is cut is not cut within a sign', () => {
  for (const before of [65_534, 65_535, 65_536]) {
    const text = textOf({ conversation: `${'x'.repeat(before)}😀😀` });
    assert.ok(text.length <= 65_536);
    assert.doesNotMatch(JSON.stringify(text), /\\ud8/, `${before}`);
  }
});

describe('the HTTP interface', () => {
  const world = new World();
  before(() => world.start(process.env.FUZZ_DATABASE_URL ? { DATABASE_URL: process.env.FUZZ_DATABASE_URL } : {}));
  after(() => world.stop());

  const alive = async () => {
    const { sidecar } = world;
    assert.equal(sidecar.process.exitCode, null, sidecar.output.slice(-2000));
    assert.equal((await inTime(sidecar.get('/healthz'), 'healthz')).body, 'ok');
    assert.equal((await inTime(sidecar.get('/readyz'), 'readyz')).body.store, 'ok');
    assert.doesNotMatch(sidecar.output, /level=(error|critical)|"level":"error"|unhandled/i);
  };

  const documented = (answer, what) => {
    assert.ok(DOCUMENTED.has(answer.status), `${answer.status} to ${what}\n${answer.bytes}\n${world.sidecar.output.slice(-1500)}`);
    if (answer.status < 400 || answer.bytes.length === 0) return;
    if (answer.status === 503 && /^[A-Z]+ \/readyz /.test(what)) {
      assert.equal(answer.body.store, 'err', what); // a database answers a moment after the start
      return;
    }
    assert.equal(answer.headers.get('content-type'), 'application/problem+json', what);
    assert.match(answer.body.code, CODES, `${what}: ${answer.bytes}`);
    assert.equal(answer.body.status, answer.status);
    if ([429, 503].includes(answer.status)) assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/, what);
    if (answer.status === 405) assert.match(answer.headers.get('allow') ?? '', /^[A-Z]+(, [A-Z]+)*$/, what);
  };

  test('odd methods, paths, headers and bodies', async () => {
    const next = chance(SEED + 2);
    for (let round = 0; round < 120 * ROUNDS; round += 1) {
      const method = one(next, [...METHODS, 'POST', 'POST', 'POST', 'GET']);
      const path = one(next, next() < 0.5 ? PATHS.slice(0, 12) : PATHS);
      const known = one(next, BODIES);
      const body = one(next, [JSON.stringify(altered(next, known)), JSON.stringify(known), mangled(next, JSON.stringify(known)), '', JSON.stringify(one(next, VALUES))]);
      const headers = one(next, [{}, {}, { 'content-type': 'text/plain' }, { 'content-type': 'a'.repeat(5000) }, { accept: '\xff' }, { authorization: one(next, ['', 'Bearer', `bearer ${TOKEN}`, 'Basic x', `Bearer ${TOKEN}x`]) }]);
      const what = `${method} ${path} ${JSON.stringify(headers).slice(0, 80)} ${body.slice(0, 300)}`;
      const sent = ['GET', 'HEAD'].includes(method) ? undefined : body;
      documented(await inTime(world.sidecar.call(method, path, sent, headers), what), what);
    }
    await alive();
  });

  test('bodies that are deep, long, cut off or not UTF-8', async () => {
    const deep = (open, close, depth) => `{"id":"d","to":"${TO}","text":"x","quoted":${open.repeat(depth)}1${close.repeat(depth)}}`;
    const image = (more) => `{"id":"d","to":"${TO}","image":{"data":"aGVsbG8=","mime_type":"image/png","more":${more}}}`;
    for (const body of [
      deep('[', ']', 200_000), deep('{"a":', '}', 100_000), image(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      `[${'1,'.repeat(1_000_000)}1]`, `{${Array.from({ length: 50_000 }, (_, at) => `"k${at}":0`).join()}}`, '"'.repeat(100_000), '\ufeff{}',
    ]) {
      for (const path of ['/v1/messages', '/v1/people/erase', '/v1/session/pairing-code']) {
        documented(await inTime(world.sidecar.call('POST', path, body), `${path} ${body.slice(0, 60)}`), `${path} ${body.slice(0, 60)}`);
      }
    }
    const bytes = await inTime(fetch(`${world.sidecar.url}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]) }), 'bytes');
    assert.equal(bytes.status, 400);
    await alive();
  });

  test('bytes that are no HTTP, and requests that are left', async () => {
    const next = chance(SEED + 3);
    const port = Number(new URL(world.sidecar.url).port);
    const head = `POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n`;
    const starts = [
      'GET /healthz HTTP/1.1\r\n\r\n', 'GET * HTTP/1.1\r\nHost: x\r\n\r\n', 'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
      `${head}Content-Length: 100\r\n\r\n{`, `${head}Content-Length: -1\r\n\r\n`, `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
      `${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":`, `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`, `${head}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`, '\0\0\0', 'GET / HTTP/9.9\r\n\r\n',
    ];
    for (let round = 0; round < 60 * ROUNDS; round += 1) {
      const bytes = Buffer.from(next() < 0.5 ? one(next, starts) : mangled(next, one(next, starts)), 'latin1');
      await inTime(new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
        socket.setTimeout(100, () => socket.destroy()).on('error', () => {}).on('data', () => socket.destroy()).on('close', resolve);
      }), bytes.toString('latin1'));
    }
    await alive();
  });
});

describe('messages in', () => {
  const world = new World();
  before(() => world.connected(process.env.FUZZ_DATABASE_URL ? { DATABASE_URL: `${process.env.FUZZ_DATABASE_URL}` } : {}));
  after(() => world.stop());

  test('odd messages, names and ids hold nothing up', async () => {
    const next = chance(SEED + 4);
    const { fake } = world;
    const dana = fake.person(TO.slice(1), 'דנה');
    let number = 0;
    for (let round = 0; round < 40 * ROUNDS; round += 1) {
      const message = one(next, INBOUND);
      // Only what the protobuf can hold leaves a phone.
      const odd = next() < 0.5 ? message : { conversation: one(next, VALUES.filter((value) => typeof value === 'string')) };
      const id = one(next, [`3A${number += 1}`, `3A\0${number}`, `3A${'x'.repeat(600)}${number}`, `3A😀${number}`, `__proto__`]);
      await fake.write(dana, odd, { id, notify: one(next, ['דנה', '', '\0', 'x'.repeat(5000), '‮']), addressing: one(next, ['lid', 'number']) });
    }
    await fake.write(dana, { conversation: 'the last one' });
    // All of them come first, each told by a request of its own.
    const isThere = (api) => api.of('message.received').some(({ text }) => text === 'the last one');
    await world.api.until(isThere, 'the last message', WITHIN_MS + 2_000 * ROUNDS);
    assert.equal(world.sidecar.process.exitCode, null);
    assert.doesNotMatch(world.sidecar.output, /level=(error|critical)/);
    assert.equal((await world.sidecar.get('/v1/session')).body.state, 'open');
    assert.equal(world.api.badSignatures, 0);
  });
});
