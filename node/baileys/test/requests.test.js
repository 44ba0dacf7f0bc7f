import assert from 'node:assert/strict';
import test from 'node:test';

import { messageIdOf } from '../src/records.js';
import { MAX_FILE_BYTES, recipient, sendRequest } from '../src/requests.js';

const good = { id: 'a-1', to: '+972501234567', text: 'שלום' };
const code = (body) => {
  try {
    sendRequest(body);
  } catch (error) {
    return error.code;
  }
  return null;
};

test('every kind of content is taken', () => {
  const file = { data: 'aGVsbG8=', mime_type: 'image/png' };
  for (const content of [
    { text: 'שלום' },
    { image: { ...file, caption: 'תמונה' } },
    { document: { ...file, mime_type: 'application/pdf', file_name: 'הצעה.pdf' } },
    { audio: { ...file, mime_type: 'audio/ogg; codecs=opus', voice_note: true, seconds: 4 } },
    { location: { latitude: 32.08, longitude: 34.78 } },
    { reaction: { message_id: '3EB0', emoji: '👍' } },
    { text: 'תשובה', quoted: { message_id: '3EB0', text: 'שאלה' } },
  ]) {
    const { text, ...rest } = good;
    assert.equal(code({ ...rest, ...content }), null, JSON.stringify(content));
  }
});

test('what is wrong is refused', () => {
  const { text, ...bare } = good;
  const rows = [
    [null, 'bad_message'],
    [[], 'bad_message'],
    ['text', 'bad_message'],
    [{ ...good, id: '' }, 'bad_message'],
    [{ ...good, id: 'a.b' }, 'bad_message'],
    [{ ...good, id: 'x'.repeat(129) }, 'bad_message'],
    [{ ...good, to: '0501234567' }, 'bad_number'],
    [{ ...good, to: '+0501234567' }, 'bad_number'],
    [{ ...good, to: '123-456@g.us' }, 'bad_number'],
    [{ ...good, to: null }, 'bad_number'],
    [{ ...good, text: '' }, 'bad_message'],
    [{ ...good, text: '  \n ' }, 'bad_message'],
    [{ ...good, text: 'x'.repeat(10_001) }, 'bad_message'],
    [{ ...good, wait_ms: 3001 }, 'bad_message'],
    [{ ...good, wait_ms: 'soon' }, 'bad_message'],
    [{ ...good, colour: 'red' }, 'bad_message'],
    [bare, 'bad_message'],
    [{ ...good, location: { latitude: 1, longitude: 1 } }, 'bad_message'],
    [{ ...bare, location: { latitude: 91, longitude: 1 } }, 'bad_message'],
    [{ ...bare, image: { data: 'a b', mime_type: 'image/png' } }, 'bad_message'],
    [{ ...bare, image: { data: 'aGVsbG8=', mime_type: 'text/html' } }, 'bad_message'],
    [{ ...bare, document: { data: 'aGVsbG8=', mime_type: 'application/pdf' } }, 'bad_message'],
    [{ ...bare, image: { data: Buffer.alloc(MAX_FILE_BYTES + 1).toString('base64'), mime_type: 'image/png' } }, 'too_large'],
    [{ ...bare, reaction: { message_id: 'a', emoji: '👍' }, quoted: { message_id: 'b' } }, 'bad_message'],
  ];
  for (const [body, wanted] of rows) assert.equal(code(body), wanted, JSON.stringify(body)?.slice(0, 200));
});

test('a recipient is a number or the id of a person', () => {
  assert.deepEqual(recipient('+972501234567'), { jid: '972501234567@s.whatsapp.net', phone: '+972501234567' });
  assert.deepEqual(recipient('972501234567@s.whatsapp.net'), { jid: '972501234567@s.whatsapp.net', phone: '+972501234567' });
  assert.deepEqual(recipient('81234567890@lid'), { jid: '81234567890@lid', phone: null });
});

test('a fingerprint is of the content, not of its order nor of the waiting', () => {
  const print = (body) => sendRequest(body).fingerprint;
  assert.equal(print(good), print({ text: good.text, wait_ms: 0, to: good.to, id: good.id, quoted: null }));
  assert.notEqual(print(good), print({ ...good, text: 'שלום!' }));
  assert.notEqual(print(good), print({ ...good, to: '+972501234568' }));
});

test('the id on WhatsApp follows from the caller’s', () => {
  assert.equal(messageIdOf('a-1'), messageIdOf('a-1'));
  assert.notEqual(messageIdOf('a-1'), messageIdOf('a-2'));
  assert.match(messageIdOf('a-1'), /^3EB0[0-9A-F]{18}$/);
});
