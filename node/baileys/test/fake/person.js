/** Somebody with WhatsApp: a number, a LID, and one device that really speaks Signal. */

import * as libsignal from 'libsignal';
import { Curve, encodeBigEndian, encodeWAMessage, generateSignalPubKey, proto, signedKeyPair, unpadRandomMax16 } from 'baileys';

import '../../src/signal_guard.js';
import './quiet.js';

const child = (tag, attrs, content) => ({ tag, attrs, content });

export class Person {
  constructor(number, lid, name) {
    this.number = number;
    this.name = name;
    this.jid = `${number}@s.whatsapp.net`;
    this.lid = `${lid}@lid`;
    this.identity = Curve.generateKeyPair();
    this.signedPreKey = signedKeyPair(this.identity, 1);
    this.registrationId = 1000 + (Number(String(number).slice(-4)) || 0);
    this.preKeys = new Map();
    this.nextPreKey = 1;
    this.forget();
  }

  /** The next message begins a new session; what is under way in the old one stays readable. */
  beginAnew() {
    this.anew = true;
  }

  /** The other side is a new device: old sessions are of no use. */
  forget() {
    this.sessions = new Map();
    this.identities = new Map();
  }

  storage() {
    const pair = ({ private: privKey, public: pubKey }) => ({
      privKey: Buffer.from(privKey),
      pubKey: Buffer.from(generateSignalPubKey(pubKey)),
    });
    return {
      loadSession: async (id) => {
        const kept = this.sessions.get(id);
        return kept ? libsignal.SessionRecord.deserialize(kept) : undefined;
      },
      storeSession: async (id, record) => void this.sessions.set(id, JSON.parse(JSON.stringify(record.serialize()))),
      isTrustedIdentity: () => true,
      loadIdentityKey: async (id) => this.identities.get(id),
      saveIdentity: async (id, key) => void this.identities.set(id, key),
      loadPreKey: async (id) => (this.preKeys.has(Number(id)) ? pair(this.preKeys.get(Number(id))) : undefined),
      removePreKey: async () => {},
      loadSignedPreKey: async () => pair(this.signedPreKey.keyPair),
      getOurRegistrationId: async () => this.registrationId,
      getOurIdentity: async () => pair(this.identity),
    };
  }

  cipher() {
    return new libsignal.SessionCipher(this.storage(), new libsignal.ProtocolAddress('business', 7));
  }

  /** What the server hands to somebody who wants to write to this person. */
  bundle(jid) {
    const id = this.nextPreKey++;
    const key = Curve.generateKeyPair();
    this.preKeys.set(id, key);
    return child('user', { jid }, [
      child('registration', {}, encodeBigEndian(this.registrationId)),
      child('type', {}, Buffer.from([5])),
      child('identity', {}, Buffer.from(this.identity.public)),
      child('skey', {}, [
        child('id', {}, encodeBigEndian(1, 3)),
        child('value', {}, Buffer.from(this.signedPreKey.keyPair.public)),
        child('signature', {}, Buffer.from(this.signedPreKey.signature)),
      ]),
      child('key', {}, [child('id', {}, encodeBigEndian(id, 3)), child('value', {}, Buffer.from(key.public))]),
    ]);
  }

  async decrypt(type, ciphertext) {
    const cipher = this.cipher();
    const bytes = Buffer.from(ciphertext);
    const padded = type === 'pkmsg' ? await cipher.decryptPreKeyWhisperMessage(bytes) : await cipher.decryptWhisperMessage(bytes);
    return proto.Message.decode(unpadRandomMax16(padded));
  }

  /** `bundle`: the business device's keys as it uploaded them. */
  async encrypt(message, bundle) {
    if (this.sessions.size === 0 || this.anew) {
      this.anew = false;
      const builder = new libsignal.SessionBuilder(this.storage(), new libsignal.ProtocolAddress('business', 7));
      await builder.initOutgoing({
        registrationId: bundle.registrationId,
        identityKey: Buffer.from(generateSignalPubKey(bundle.identity)),
        signedPreKey: {
          keyId: bundle.signedPreKey.id,
          publicKey: Buffer.from(generateSignalPubKey(bundle.signedPreKey.value)),
          signature: bundle.signedPreKey.signature,
        },
        preKey: { keyId: bundle.preKey.id, publicKey: Buffer.from(generateSignalPubKey(bundle.preKey.value)) },
      });
    }
    const { type, body } = await this.cipher().encrypt(encodeWAMessage(proto.Message.fromObject(message)));
    return child('enc', { v: '2', type: type === 3 ? 'pkmsg' : 'msg' }, Buffer.from(body, 'binary'));
  }
}
