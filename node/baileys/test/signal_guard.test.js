import assert from 'node:assert/strict';
import test from 'node:test';

import { Person } from './fake/person.js';

console.error = () => {};

/** What somebody needs to begin a session with that person. */
function keysOf(person) {
  const id = person.nextPreKey;
  const preKey = person.bundle(person.jid).content.at(-1);
  return {
    registrationId: person.registrationId,
    identity: person.identity.public,
    signedPreKey: { id: 1, value: person.signedPreKey.keyPair.public, signature: person.signedPreKey.signature },
    preKey: { id, value: preKey.content[1].content },
  };
}

test('an attempt to decrypt that fails leaves a session as it was', async () => {
  const [own, dana] = [new Person('1', '1', 'the device'), new Person('2', '2', 'דנה')];
  const read = async (who, enc) => (await who.decrypt(enc.attrs.type, enc.content)).conversation;
  // A first session, used in both directions.
  assert.equal(await read(own, await dana.encrypt({ conversation: '1' }, keysOf(own))), '1');
  assert.equal(await read(dana, await own.encrypt({ conversation: '2' })), '2');
  const late = await dana.encrypt({ conversation: 'in the old session' });
  // The device begins a new one, while a message in the old one is on its way.
  own.beginAnew();
  const first = await own.encrypt({ conversation: 'in the new session' }, keysOf(dana));
  assert.equal(await read(dana, first), 'in the new session');
  assert.equal(await read(own, await dana.encrypt({ conversation: 'an answer' })), 'an answer');
  assert.equal(await read(own, late), 'in the old session');
  // Both directions of the new session still work.
  assert.equal(await read(own, await dana.encrypt({ conversation: 'and on' })), 'and on');
  assert.equal(await read(dana, await own.encrypt({ conversation: 'and back' })), 'and back');
});
