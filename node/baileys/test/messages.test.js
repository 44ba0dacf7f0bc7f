import assert from 'node:assert/strict';
import test, { after, before, beforeEach, describe } from 'node:test';

import { messageIdOf } from '../src/records.js';
import { World, newId, text } from './support/world.js';

const TO = '+972521234567';

describe('messages out', () => {
  const world = new World();
  before(async () => {
    await world.connected();
    world.fake.person(TO.slice(1));
  });
  after(() => world.stop());
  beforeEach(() => {
    world.fake.acks = 'ack';
    world.fake.receipts = 'read';
  });

  test('Hebrew arrives as it was written; acknowledged, delivered, read', async () => {
    const { sidecar, fake, api } = world;
    const id = newId();
    const { status, body } = await world.sent({ id, to: TO, text: 'שלום, כאן המשרד. 👋' });
    assert.equal(status, 200);
    assert.equal(body.message_id, messageIdOf(id));
    assert.deepEqual(body.to, { jid: '972521234567@s.whatsapp.net', phone: TO });
    assert.ok(body.acked);
    await api.status(id, 'read');
    const [arrived] = fake.delivered.filter((one) => one.id === body.message_id);
    assert.equal(text(arrived.message), 'שלום, כאן המשרד. 👋');
    assert.deepEqual(api.of('message.status').filter((data) => data.id === id).map(({ status }) => status), ['sent', 'delivered', 'read']);
    assert.equal((await sidecar.get(`/v1/messages/${id}`)).body.status, 'read');
  });

  test('a repetition sends nothing and answers as it stands; another body is a conflict', async () => {
    const { sidecar, fake, api } = world;
    const message = { id: newId(), to: TO, text: 'פעם אחת' };
    const first = await world.sent(message);
    await api.status(message.id, 'read');
    const second = await sidecar.send({ ...message, wait_ms: 0 });
    assert.deepEqual([second.status, second.body.status, second.body.message_id], [200, 'read', first.body.message_id]);
    const other = await sidecar.send({ ...message, text: 'פעם שנייה' });
    assert.deepEqual([other.status, other.body.code], [409, 'other_body']);
    assert.equal(fake.framesOf(first.body.message_id), 1);
  });

  test('many requests for one message at once send it once', async () => {
    const { fake } = world;
    const message = { id: newId(), to: TO, text: 'יחד' };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => world.sent({ ...message, text: n === 19 ? 'אחר' : 'יחד' })));
    assert.deepEqual([...new Set(answers.slice(0, 19).map(({ status }) => status))], [200]);
    assert.equal(answers[19].status, 409);
    assert.equal(fake.framesOf(messageIdOf(message.id)), 1);
  });

  test('without an acknowledgement in time it is 202, and later sent', async () => {
    const { sidecar, fake, api } = world;
    fake.acks = 'hold';
    fake.receipts = 'none';
    const id = newId();
    const message = { id, to: TO, text: 'לאט', wait_ms: 0 };
    assert.equal((await sidecar.send(message)).status, 202);
    await fake.until(() => fake.held.length === 1, 'the frame');
    const { status, body } = await sidecar.send({ ...message, wait_ms: 1000 });
    assert.deepEqual([status, body.status, body.acked], [202, 'sending', false]);
    fake.release();
    await api.status(id, 'sent');
    assert.equal((await sidecar.send(message)).status, 200);
  });

  test('a socket that dies before the acknowledgement leaves it unknown; a receipt settles it', async () => {
    const { sidecar, fake, api } = world;
    fake.acks = 'drop';
    fake.receipts = 'none';
    const id = newId();
    const { status, body } = await world.sent({ id, to: TO, text: 'באמצע' });
    assert.deepEqual([status, body.status], [202, 'unknown']);
    await api.status(id, 'unknown');
    await sidecar.state('open');
    const again = await sidecar.send({ id, to: TO, text: 'באמצע' });
    assert.deepEqual([again.status, again.body.status], [202, 'unknown']);
    assert.equal(fake.framesOf(body.message_id), 1);
    fake.receipt(fake.person(TO.slice(1)), body.message_id, 'delivered');
    await api.status(id, 'delivered');
  });

  test('a number without WhatsApp is 422, a bad one too, and nothing is recorded', async () => {
    const { sidecar } = world;
    const id = newId();
    const none = await world.sent({ id, to: '+972529999999', text: 'א' });
    assert.deepEqual([none.status, none.body.code], [422, 'not_on_whatsapp']);
    assert.equal((await sidecar.get(`/v1/messages/${id}`)).status, 404);
    assert.equal((await sidecar.send({ id: newId(), to: '052-999', text: 'א' })).body.code, 'bad_number');
    assert.equal((await sidecar.call('POST', '/v1/messages', '{"id":')).status, 400);
  });

  test('location, document, image, voice note, reply and reaction arrive as such', async () => {
    const { fake } = world;
    const arrived = async (content) => {
      const { status, body } = await world.sent({ id: newId(), to: TO, ...content });
      assert.equal(status, 200, JSON.stringify(body));
      return (await fake.until(() => fake.delivered.find(({ id }) => id === body.message_id), 'the message')).message;
    };
    const { locationMessage } = await arrived({ location: { latitude: 32.0853, longitude: 34.7818, name: 'המשרד' } });
    assert.deepEqual([locationMessage.degreesLatitude, locationMessage.name], [32.0853, 'המשרד']);

    const file = Buffer.from('a small file').toString('base64');
    const { documentMessage } = await arrived({ document: { data: file, mime_type: 'application/pdf', file_name: 'הצעה.pdf', caption: 'מצורף' } });
    assert.deepEqual([documentMessage.fileName, Number(documentMessage.fileLength), documentMessage.caption], ['הצעה.pdf', 12, 'מצורף']);
    const { imageMessage } = await arrived({ image: { data: file, mime_type: 'image/jpeg', caption: 'הסלון' } });
    assert.equal(imageMessage.caption, 'הסלון');
    const { audioMessage } = await arrived({ audio: { data: file, mime_type: 'audio/ogg; codecs=opus', voice_note: true, seconds: 3 } });
    assert.deepEqual([audioMessage.ptt, audioMessage.seconds], [true, 3]);

    const first = await world.sent({ id: newId(), to: TO, text: 'מתי נוח?' });
    const { extendedTextMessage } = await arrived({ text: 'מחר?', quoted: { message_id: first.body.message_id } });
    assert.equal(extendedTextMessage.contextInfo.stanzaId, first.body.message_id);
    assert.equal(text(extendedTextMessage.contextInfo.quotedMessage), 'מתי נוח?');
    const { reactionMessage } = await arrived({ reaction: { message_id: first.body.message_id, emoji: '👍' } });
    assert.deepEqual([reactionMessage.text, reactionMessage.key.id, reactionMessage.key.fromMe], ['👍', first.body.message_id, true]);

    const unknown = await world.sent({ id: newId(), to: TO, text: 'א', quoted: { message_id: '3EB0NEVER' } });
    assert.deepEqual([unknown.status, unknown.body.code], [422, 'unknown_quoted']);
  });

  test('somebody who could not read a message gets the same one again', async () => {
    const { fake } = world;
    const id = newId();
    const { body } = await world.sent({ id, to: TO, text: 'שוב בבקשה' });
    const times = () => fake.delivered.filter((one) => one.id === body.message_id && text(one.message) === 'שוב בבקשה').length;
    await fake.until(() => times() === 1, 'the message');
    // Not from the library's memory: from the record, after a restart.
    await (await world.restart()).state('open');
    fake.askAgain(fake.person(TO.slice(1)), body.message_id);
    await fake.until(() => times() === 2, 'the message once more');
  });

  test('the order to one contact is the order of the requests', async () => {
    const { fake } = world;
    fake.receipts = 'none';
    const bodies = Array.from({ length: 30 }, (_, n) => `הודעה ${n}`);
    const answers = await Promise.all(bodies.map((one) => world.sent({ id: newId(), to: TO, text: one })));
    assert.ok(answers.every(({ status }) => status === 200));
    const arrived = () => fake.delivered.map(({ message }) => text(message)).filter((one) => one?.startsWith('הודעה '));
    await fake.until(() => arrived().length === bodies.length, 'all of them');
    assert.deepEqual(arrived(), bodies);
  });

  test('463: refused for good, and no new chats; who has written is answered', async () => {
    const { sidecar, fake, api } = world;
    const friend = fake.person('972521111111');
    await fake.write(friend, { conversation: 'אני כתבתי קודם' });
    await api.received('אני כתבתי קודם');
    fake.person('972522222222');
    fake.acks = (attrs) => (attrs.to.startsWith('972521111111') ? 'ack' : '463');
    const message = { id: newId(), to: '+972522222222', text: 'שלום' };
    const refused = await world.sent(message);
    assert.deepEqual([refused.status, refused.body.code, refused.body.wa_code], [422, 'refused', '463']);
    await api.status(message.id, 'failed');
    assert.equal((await sidecar.send(message)).status, 422);
    assert.equal(fake.framesOf(messageIdOf(message.id)), 1);
    await api.until(() => api.of('session.restricted').length > 0, 'the word of it');
    const next = await sidecar.send({ id: newId(), to: '+972522222222', text: 'עוד' });
    assert.deepEqual([next.status, next.body.code], [429, 'new_chats_paused']);
    assert.ok(Number(next.headers.get('retry-after')) > 80_000);
    assert.equal((await world.sent({ id: newId(), to: '+972521111111', text: 'תשובה' })).status, 200);
    assert.ok((await sidecar.get('/v1/session')).body.new_chats_paused_until);
  });

  test('nothing of it was an error of the library', () => {
    assert.deepEqual(world.fake.faults, []);
    assert.equal(world.api.badSignatures, 0);
    assert.doesNotMatch(world.output, /level=error/);
  });
});

test('caps hold over restarts', async () => {
  const world = await new World().connected({ BAILEYS_HOURLY_CAP: '2' });
  try {
    world.fake.person(TO.slice(1));
    assert.equal((await world.sent({ id: 'a', to: TO, text: 'א' })).status, 200);
    assert.equal((await world.sent({ id: 'b', to: TO, text: 'ב' })).status, 200);
    const sidecar = await world.restart();
    await sidecar.state('open');
    const capped = await sidecar.send({ id: 'c', to: TO, text: 'ג' });
    assert.deepEqual([capped.status, capped.body.code], [429, 'hourly_cap']);
    assert.ok(Number(capped.headers.get('retry-after')) > 3000);
    assert.equal((await world.sent({ id: 'b', to: TO, text: 'ב' })).status, 200);
  } finally {
    await world.stop();
  }
});
