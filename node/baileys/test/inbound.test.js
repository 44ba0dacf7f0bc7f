import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { after, before, describe } from 'node:test';

import { World, newId, text } from './support/world.js';

describe('messages in', () => {
  const world = new World();
  let dana;
  before(async () => {
    await world.connected();
    dana = world.fake.person('972521234567', 'דנה');
  });
  after(() => world.stop());
  const arrived = (id) => world.api.until(() => world.api.of('message.received').find((data) => data.message_id === id), `message ${id}`);

  test('a text from a LID carries the number too, and is confirmed to WhatsApp', async () => {
    const { fake } = world;
    const id = await fake.write(dana, { conversation: 'שלום, אני מחפשת דירה' });
    const data = await arrived(id);
    assert.deepEqual(data.chat, { jid: dana.lid, lid: dana.lid, phone: '+972521234567' });
    assert.deepEqual([data.kind, data.text, data.from_me, data.name, data.while_away], ['text', 'שלום, אני מחפשת דירה', false, 'דנה', false]);
    await fake.until(() => !fake.pending.has(`message:${id}`), 'the receipt');
    const session = (await world.sidecar.get('/v1/session')).body;
    assert.ok(session.last_inbound_at && session.last_frame_at);
  });

  test('a text from a number carries the LID too', async () => {
    const id = await world.fake.write(dana, { conversation: 'מהמספר' }, { addressing: 'number' });
    assert.deepEqual((await arrived(id)).chat, { jid: dana.jid, lid: dana.lid, phone: '+972521234567' });
  });

  test('it can be answered by number and by LID, as a reply', async () => {
    const { fake } = world;
    const id = await fake.write(dana, { conversation: 'כמה זה עולה?' });
    await arrived(id);
    for (const to of ['+972521234567', dana.lid]) {
      const { status, body } = await world.sent({ id: newId(), to, text: `תשובה ${to}`, quoted: { message_id: id } });
      assert.equal(status, 200, JSON.stringify(body));
      const { message } = await fake.until(() => fake.delivered.find((one) => one.id === body.message_id), 'the answer');
      assert.equal(text(message), `תשובה ${to}`);
      assert.equal(text(message.extendedTextMessage.contextInfo.quotedMessage), 'כמה זה עולה?');
    }
    assert.deepEqual(fake.faults, []);
  });

  test('a reply tells what it replies to', async () => {
    const { fake } = world;
    const sent = await world.sent({ id: newId(), to: '+972521234567', text: 'מחר בעשר?' });
    const contextInfo = { stanzaId: sent.body.message_id, participant: fake.deviceJid, quotedMessage: { conversation: 'מחר בעשר?' } };
    const data = await arrived(await fake.write(dana, { extendedTextMessage: { text: 'מצוין', contextInfo } }));
    assert.deepEqual([data.text, data.reply_to], ['מצוין', { message_id: sent.body.message_id, text: 'מחר בעשר?' }]);
  });

  test('an image is described at once and fetched on demand', async () => {
    const { sidecar, fake } = world;
    const picture = Buffer.from('not quite a picture '.repeat(500));
    const fileSha256 = createHash('sha256').update(picture).digest();
    const file = { ...fake.putFile(picture), fileSha256, mimetype: 'image/jpeg', caption: 'הסלון', width: 640, height: 480 };
    const id = await fake.write(dana, { imageMessage: file });
    const data = await arrived(id);
    assert.deepEqual([data.kind, data.text], ['image', 'הסלון']);
    assert.deepEqual(data.media, {
      id,
      mime_type: 'image/jpeg',
      size_bytes: picture.length,
      file_name: null,
      sha256: fileSha256.toString('hex'),
      seconds: null,
      voice_note: false,
      width: 640,
      height: 480,
    });
    const fetched = await sidecar.get(`/v1/media/${id}`);
    assert.equal(fetched.status, 200);
    assert.equal(fetched.headers.get('content-type'), 'image/jpeg');
    assert.ok(fetched.bytes.equals(picture));
  });

  test('files that are gone, false, elsewhere, too large or none are problems', async () => {
    const { sidecar, fake } = world;
    const data = Buffer.from('a file');
    const fileSha256 = createHash('sha256').update(data).digest();
    const status = async (message) => {
      const id = await fake.write(dana, message);
      await arrived(id);
      const { status, body } = await sidecar.get(`/v1/media/${id}`);
      return [status, body.code];
    };
    const audio = (more) => ({ audioMessage: { ...fake.putFile(data, 'Audio'), fileSha256, mimetype: 'audio/ogg; codecs=opus', ptt: true, seconds: 4, ...more } });
    assert.deepEqual(await status(audio({ directPath: '/v/gone' })), [410, 'gone']);
    assert.deepEqual(await status(audio({ fileSha256: Buffer.alloc(32) })), [502, 'media_failed']);
    assert.deepEqual(await status(audio({ directPath: '@evil.example/x' })), [502, 'media_failed']);
    assert.deepEqual(await status(audio({ fileLength: 99_000_000 })), [413, 'too_large']);
    assert.deepEqual(await status({ conversation: 'בלי קובץ' }), [404, 'not_found']);
    assert.equal((await sidecar.get('/v1/media/3ANEVER')).status, 404);
    const voice = world.api.of('message.received').find(({ kind }) => kind === 'audio');
    assert.deepEqual([voice.media.voice_note, voice.media.seconds], [true, 4]);
  });

  test('location, contact, reaction, a chosen button and the unknown are told', async () => {
    const { fake } = world;
    const told = async (message) => arrived(await fake.write(dana, message));
    const place = await told({ locationMessage: { degreesLatitude: 32.1, degreesLongitude: 34.8, name: 'כאן' } });
    assert.deepEqual(place.location, { latitude: 32.1, longitude: 34.8, name: 'כאן', address: null });
    assert.equal((await told({ contactMessage: { displayName: 'יוסי', vcard: 'BEGIN:VCARD' } })).text, 'יוסי');
    const reaction = await told({ reactionMessage: { key: { remoteJid: dana.jid, fromMe: true, id: '3EB0X' }, text: '❤️' } });
    assert.deepEqual([reaction.kind, reaction.reaction], ['reaction', { message_id: '3EB0X', emoji: '❤️' }]);
    assert.equal((await told({ buttonsResponseMessage: { selectedButtonId: '1', selectedDisplayText: 'כן', type: 1 } })).text, 'כן');
    assert.equal((await told({ pollCreationMessage: { name: 'מתי?', options: [{ optionName: 'א' }] } })).kind, 'unsupported');
  });

  test('an edit and a deletion are told as changes', async () => {
    const { fake, api } = world;
    const id = await fake.write(dana, { conversation: 'בשלוש' });
    const key = { remoteJid: dana.lid, fromMe: true, id };
    await fake.write(dana, { protocolMessage: { key, type: 14, editedMessage: { conversation: 'בארבע' } } });
    await fake.write(dana, { protocolMessage: { key, type: 0 } });
    const changes = () => api.of('message.changed').filter((data) => data.message_id === id);
    await api.until(() => changes().length === 2, 'both changes');
    assert.deepEqual(changes().map(({ change, text }) => [change, text]), [['edited', 'בארבע'], ['deleted', null]]);
  });

  test('what the owner writes on the phone is told as from me', async () => {
    const { fake } = world;
    const data = await arrived(await fake.writeFromPhone(dana, { conversation: 'אני עונה מהטלפון' }));
    assert.deepEqual([data.from_me, data.text, data.chat.phone], [true, 'אני עונה מהטלפון', '+972521234567']);
  });

  test('the same message twice is told once', async () => {
    const { fake, api } = world;
    const id = await fake.write(dana, { conversation: 'פעם' });
    await arrived(id);
    await fake.write(dana, { conversation: 'פעם' }, { id });
    const last = await fake.write(dana, { conversation: 'אחרונה' });
    await arrived(last);
    assert.equal(api.of('message.received').filter((data) => data.message_id === id).length, 1);
  });

  test('one that cannot be read is told, and told again when it comes readable', async () => {
    const { fake, api } = world;
    const id = fake.id('3A');
    const stanza = { tag: 'message', attrs: { id, t: String(Math.floor(Date.now() / 1000)), type: 'text', from: dana.lid, addressing_mode: 'lid', sender_pn: dana.jid } };
    fake.push(`message:${id}`, { ...stanza, content: [{ tag: 'enc', attrs: { v: '2', type: 'msg' }, content: Buffer.alloc(64, 1) }] });
    await api.until(() => api.of('message.undecrypted').some((data) => data.message_id === id), 'the word of it');
    await fake.write(dana, { conversation: 'עכשיו קריא' }, { id });
    assert.equal((await arrived(id)).text, 'עכשיו קריא');
  });

  test('groups, channels and status posts are left alone', async () => {
    const { fake, api } = world;
    const enc = await dana.encrypt({ conversation: 'לקבוצה' }, fake.takeBundle());
    for (const from of ['1203630@g.us', 'status@broadcast', '1203@newsletter']) {
      fake.push('message:G1', { tag: 'message', attrs: { id: 'G1', t: '1', type: 'text', from, participant: dana.jid }, content: [enc] });
    }
    await arrived(await fake.write(dana, { conversation: 'אחרי הקבוצה' }));
    assert.equal(api.events.some(({ data }) => data.message_id === 'G1'), false);
  });

  test('what came while it was away comes when it is back, in order, and says so', async () => {
    const { fake, api } = world;
    await world.sidecar.kill();
    const ids = [];
    for (const words of ['ראשונה', 'שנייה', 'שלישית']) ids.push(await fake.write(dana, { conversation: words }));
    const sidecar = await world.restart();
    await sidecar.state('open');
    for (const id of ids) assert.equal((await arrived(id)).while_away, true);
    assert.deepEqual(api.of('message.received').slice(-3).map(({ text }) => text), ['ראשונה', 'שנייה', 'שלישית']);
    await fake.until(() => ids.every((id) => !fake.pending.has(`message:${id}`)), 'the receipts');
    assert.deepEqual(fake.faults, []);
  });
});
