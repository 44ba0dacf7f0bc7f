/**
 * A WhatsApp server for tests: a WebSocket on loopback that speaks the real protocol (Noise,
 * binary nodes, pairing by QR and by code, Signal keys, acknowledgements, receipts, messages
 * kept for who is away) to the unmodified library. It holds one account and its contacts.
 *
 * What it should do otherwise than well is set by its fields: `acks`, `receipts`, `refuseLogin`.
 */

import { createDecipheriv, createCipheriv, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import {
  Curve,
  decodeBinaryNode,
  derivePairingCodeKey,
  encodeBinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  hkdf,
  hmacSign,
  jidDecode,
  proto,
} from 'baileys';
import { WebSocketServer } from 'ws';

import { NoiseResponder, makeAuthority } from './noise.js';
import { Person } from './person.js';

const SERVER = 's.whatsapp.net';
const node = (tag, attrs = {}, content) => ({ tag, attrs, content });
const uint = (bytes) => Buffer.from(bytes).readUIntBE(0, bytes.length);
const ctr = (make, bytes, key, iv) => {
  const cipher = make('aes-256-ctr', key, iv);
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
};

export class FakeWhatsApp {
  constructor() {
    this.authority = makeAuthority();
    this.phone = new Person('972500000001', '90000000000001', 'The business');
    this.people = new Map([[this.phone.number, this.phone]]);
    /** @type {'ack' | 'hold' | 'drop' | string} `drop` closes before the ack; digits are an error code */
    this.acks = 'ack';
    /** @type {'none' | 'delivered' | 'read'} */
    this.receipts = 'read';
    /** A reason with which the next logins are refused. */
    this.refuseLogin = null;
    this.answersUsync = true;
    /** Questions for devices and numbers that had no answer. */
    this.unanswered = 0;
    /** Whether it is said that all that waited has come; until then the library holds it back. */
    this.saysOfflineDone = true;
    this.device = null; // what was paired: noiseKey, identity
    this.bundle = null;
    this.nextPreKey = 0;
    this.connections = new Set();
    this.logins = 0;
    this.retries = 0;
    this.pairings = 0;
    /** Frames of messages that came, in order: {id, to, at}. */
    this.frames = [];
    /** Messages that were decrypted by their recipient: {id, to, message, person}. */
    this.delivered = [];
    this.held = [];
    /** What the device has not confirmed yet: stanzas by what they are, the oldest first. */
    this.pending = new Map();
    this.files = new Map();
    this.written = new Map();
    this.nextId = 1;
    this.waiters = new Set();
    this.faults = [];
  }

  async start() {
    this.server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    this.server.on('connection', (socket) => new Connection(this, socket));
    await new Promise((resolve) => this.server.once('listening', resolve));
    this.mediaServer = createServer((request, response) => this.media(request, response));
    await new Promise((resolve) => this.mediaServer.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop() {
    for (const { socket } of this.connections) socket.terminate();
    await new Promise((resolve) => this.server.close(resolve));
    this.mediaServer.closeAllConnections();
    await new Promise((resolve) => this.mediaServer.close(resolve));
  }

  get environ() {
    return {
      BAILEYS_WA_URL: `ws://127.0.0.1:${this.server.address().port}/ws/chat`,
      FAKE_WA_ROOT_KEY: this.authority.rootKey,
      FAKE_WA_MEDIA_PORT: String(this.mediaServer.address().port),
    };
  }

  person(number, name = 'דנה') {
    let person = this.people.get(number);
    if (!person) this.people.set(number, (person = new Person(number, `8${number.slice(-11)}`, name)));
    return person;
  }

  find(jid) {
    const { user } = jidDecode(jid);
    for (const person of this.people.values()) if (person.number === user || person.lid.startsWith(`${user}@`)) return person;
    return null;
  }

  isMe(jid) {
    return this.find(jid) === this.phone;
  }

  get deviceJid() {
    return `${this.phone.number}:7@${SERVER}`;
  }

  get online() {
    return [...this.connections].filter((connection) => connection.loggedIn);
  }

  // --- waiting ---

  changed() {
    for (const look of this.waiters) look();
  }

  /** Waits until the condition holds; a test's own deadline ends it otherwise. */
  until(condition, what = 'something', ms = 60_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.delete(look);
        reject(new Error(`waited for ${what}; faults: ${this.faults.join(' | ')}`));
      }, ms);
      const look = () => {
        const value = condition();
        if (!value) return;
        clearTimeout(timer);
        this.waiters.delete(look);
        resolve(value);
      };
      this.waiters.add(look);
      look();
    });
  }

  framesOf(id) {
    return this.frames.filter((frame) => frame.id === id).length;
  }

  // --- pairing ---

  /** The phone scans this QR code. */
  scan(qr) {
    const [, noiseKey, identity, advSecret] = qr.split('#').at(-1).split(',');
    const bytes = (text) => Buffer.from(text, 'base64');
    this.pair(bytes(noiseKey), bytes(identity), bytes(advSecret));
  }

  /** The code is typed on the phone. */
  async typeCode(code) {
    const { connection, wrapped, companion } = this.pairingRequest;
    const key = await derivePairingCodeKey(code, wrapped.subarray(0, 32));
    const companionEphemeral = ctr(createDecipheriv, wrapped.subarray(48, 80), key, wrapped.subarray(32, 48));
    const ephemeral = Curve.generateKeyPair();
    const [salt, iv] = [randomBytes(32), randomBytes(16)];
    const wrappedEphemeral = Buffer.concat([
      salt,
      iv,
      ctr(createCipheriv, Buffer.from(ephemeral.public), await derivePairingCodeKey(code, salt), iv),
    ]);
    const shared = Curve.sharedKey(ephemeral.private, companionEphemeral);
    this.codePairing = { shared, companion };
    connection.send(
      node('notification', { id: this.id(), from: SERVER, type: 'link_code_companion_reg', t: '1' }, [
        node('link_code_companion_reg', { stage: 'primary_hello' }, [
          node('link_code_pairing_ref', {}, Buffer.from('ref')),
          node('primary_identity_pub', {}, Buffer.from(this.phone.identity.public)),
          node('link_code_pairing_wrapped_primary_ephemeral_pub', {}, wrappedEphemeral),
        ]),
      ]),
    );
  }

  /** The companion answered the code: the secret follows from what both have. */
  finishCode(bundle, identity) {
    const { shared, companion } = this.codePairing;
    const key = Buffer.from(hkdf(shared, 32, { salt: bundle.subarray(0, 32), info: 'link_code_pairing_key_bundle_encryption_key' }));
    const decipher = createDecipheriv('aes-256-gcm', key, bundle.subarray(32, 44));
    decipher.setAuthTag(bundle.subarray(-16));
    const plain = Buffer.concat([decipher.update(bundle.subarray(44, -16)), decipher.final()]);
    const random = plain.subarray(64, 96);
    const secret = Buffer.concat([shared, Curve.sharedKey(this.phone.identity.private, identity), random]);
    this.pair(companion, identity, Buffer.from(hkdf(secret, 32, { info: 'adv_secret' })));
  }

  pair(noiseKey, identity, advSecret) {
    const connection = [...this.connections].find((one) => one.noiseKey?.equals(noiseKey));
    const details = proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp: 1_700_000_000, keyIndex: 1 }).finish();
    const account = proto.ADVSignedDeviceIdentity.encode({
      details,
      accountSignatureKey: this.phone.identity.public,
      accountSignature: Curve.sign(this.phone.identity.private, Buffer.concat([Buffer.from([6, 0]), details, identity])),
    }).finish();
    const signed = proto.ADVSignedDeviceIdentityHMAC.encode({ details: account, hmac: hmacSign(account, advSecret) }).finish();
    this.device = { noiseKey, identity };
    this.bundle = null;
    this.pairings += 1;
    for (const person of this.people.values()) person.forget();
    const lid = this.phone.lid.replace('@', ':7@');
    connection.send(
      node('iq', { id: this.id(), type: 'set', from: SERVER, xmlns: 'md' }, [
        node('pair-success', {}, [
          node('device-identity', {}, signed),
          node('biz', { name: this.phone.name }),
          node('device', { jid: this.deviceJid, lid }),
          node('platform', { name: 'android' }),
        ]),
      ]),
    );
  }

  // --- messages to the device ---

  /** Somebody writes. `to: 'lid'` as today's chats, `'number'` as older ones. */
  async write(person, message, { id = this.id('3A'), addressing = 'lid', notify = person.name } = {}) {
    const enc = await person.encrypt(message, this.takeBundle());
    this.written.set(id, { person, message, options: { id, addressing, notify } });
    const attrs = { id, t: now(), notify, type: 'text', from: addressing === 'lid' ? person.lid : person.jid };
    if (addressing === 'lid') Object.assign(attrs, { addressing_mode: 'lid', sender_pn: person.jid });
    else attrs.sender_lid = person.lid;
    this.push(`message:${id}`, node('message', attrs, [enc]));
    return id;
  }

  /** The owner writes on the phone: this device gets a copy. */
  async writeFromPhone(to, message, id = this.id('3A')) {
    const copy = { deviceSentMessage: { destinationJid: to.jid, message } };
    const enc = await this.phone.encrypt(copy, this.takeBundle());
    const attrs = { id, t: now(), type: 'text', from: this.phone.jid, recipient: to.jid };
    this.push(`message:${id}`, node('message', attrs, [enc]));
    return id;
  }

  receipt(person, id, type) {
    const attrs = { id, from: person.jid, t: now() };
    if (type !== 'delivered') attrs.type = type;
    this.push(`receipt:${id}:${type}`, node('receipt', attrs));
  }

  /** Somebody could not read a message and asks for it again, with new keys of their own. */
  askAgain(person, id) {
    person.forget();
    const keys = person.bundle(person.jid).content;
    const registration = keys.find((one) => one.tag === 'registration');
    const attrs = { id, from: person.jid, type: 'retry', t: now() };
    const rest = keys.filter((one) => one !== registration);
    this.push(`receipt:${id}:retry`, node('receipt', attrs, [node('retry', { id, count: '1', t: now(), v: '1' }), registration, node('keys', {}, rest)]));
  }

  /** To whoever is there, kept until it is confirmed. A message that is written anew stands beside
   * the one that could not be read: each is confirmed by itself. */
  push(key, stanza) {
    this.pending.set(key, [...(this.pending.get(key) ?? []), stanza]);
    for (const connection of this.online) connection.send(stanza);
  }

  confirmed(key) {
    const [, ...left] = this.pending.get(key) ?? [];
    if (left.length > 0) this.pending.set(key, left);
    else this.pending.delete(key);
    this.changed();
  }

  takeBundle() {
    const { preKeys, ...rest } = this.bundle;
    return { ...rest, preKey: preKeys[this.nextPreKey++ % preKeys.length] };
  }

  /** Acknowledges what was held back. */
  release() {
    for (const { connection, attrs } of this.held.splice(0)) connection.ack(attrs);
  }

  /** Ends every connection with a stream error, or without a word. */
  closeWith(code) {
    for (const connection of this.connections) connection.closeWith(code);
  }

  id(prefix = '') {
    return `${prefix}${String(this.nextId++).padStart(8, '0')}${prefix && randomBytes(6).toString('hex').toUpperCase()}`;
  }

  // --- files ---

  /** A file as WhatsApp has it: the fields of its message. */
  putFile(data, kind = 'Image') {
    const mediaKey = randomBytes(32);
    const keys = Buffer.from(hkdf(mediaKey, 112, { info: `WhatsApp ${kind} Keys` }));
    const cipher = createCipheriv('aes-256-cbc', keys.subarray(16, 48), keys.subarray(0, 16));
    const encrypted = Buffer.concat([cipher.update(data), cipher.final()]);
    const mac = hmacSign(Buffer.concat([keys.subarray(0, 16), encrypted]), keys.subarray(48, 80)).subarray(0, 10);
    const directPath = `/v/${randomBytes(6).toString('hex')}`;
    this.files.set(directPath, Buffer.concat([encrypted, mac]));
    return { mediaKey, directPath, url: `https://mmg.whatsapp.net${directPath}`, fileLength: data.length };
  }

  async media(request, response) {
    if (request.method === 'POST') {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const path = `/u/${this.id()}`;
      this.files.set(path, Buffer.concat(chunks));
      response.end(JSON.stringify({ url: `https://mmg.whatsapp.net${path}`, direct_path: path }));
      return;
    }
    const file = this.files.get(request.url.split('?')[0]);
    response.writeHead(file ? 200 : 404);
    response.end(file);
  }
}

class Connection {
  constructor(fake, socket) {
    this.fake = fake;
    this.socket = socket;
    this.loggedIn = false;
    this.noiseKey = null;
    this.noise = new NoiseResponder(fake.authority, (bytes) => socket.readyState === 1 && socket.send(bytes));
    this.turn = Promise.resolve();
    fake.connections.add(this);
    socket.on('message', (data) => {
      try {
        for (const { frame, login } of this.noise.take(Buffer.from(data))) {
          // One at a time: a session is not encrypted with twice at once.
          this.turn = this.turn
            .then(async () => (login ? this.enter(login) : this.handle(await decodeBinaryNode(frame))))
            .catch((error) => this.fake.faults.push(error.stack));
        }
      } catch (error) {
        fake.faults.push(error.stack);
        socket.terminate();
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      fake.connections.delete(this);
      fake.changed();
    });
  }

  send(stanza) {
    if (this.socket.readyState === 1) this.noise.write(encodeBinaryNode(stanza));
  }

  closeWith(code) {
    if (code === null) {
      this.socket.terminate();
      return;
    }
    if (code === 440) this.send(node('stream:error', {}, [node('conflict', { type: 'replaced' })]));
    else if (code === 401) this.send(node('stream:error', { code: '401' }, [node('conflict', { type: 'device_removed' })]));
    else this.send(node('stream:error', { code: String(code) }, [node('reason')]));
  }

  enter({ noiseKey, payload }) {
    const { fake } = this;
    this.noiseKey = noiseKey;
    fake.logins += 1;
    if (fake.refuseLogin !== null) {
      this.send(node('failure', { reason: String(fake.refuseLogin), location: 'frc' }));
      return;
    }
    if (payload.devicePairingData) {
      this.identity = Buffer.from(payload.devicePairingData.eIdent);
      const refs = Array.from({ length: 6 }, (_, n) => node('ref', {}, Buffer.from(`2@ref${n}${fake.id()}`)));
      this.send(node('iq', { id: fake.id(), type: 'set', from: SERVER, xmlns: 'md' }, [node('pair-device', {}, refs)]));
      fake.changed();
      return;
    }
    if (!fake.device?.noiseKey.equals(noiseKey)) {
      this.send(node('failure', { reason: '401', location: 'frc' }));
      return;
    }
    for (const other of fake.online) other.closeWith(440);
    this.send(node('success', { t: now(), props: '1', lid: fake.phone.lid.replace('@', ':7@'), location: 'frc' }));
    this.loggedIn = true;
    const offline = [...fake.pending.values()].flat();
    for (const stanza of offline) this.send({ ...stanza, attrs: { ...stanza.attrs, offline: '1' } });
    if (fake.saysOfflineDone) this.send(node('ib', { from: SERVER }, [node('offline', { count: String(offline.length) })]));
    fake.changed();
  }

  async handle(stanza) {
    const { fake } = this;
    const { attrs } = stanza;
    switch (stanza.tag) {
      case 'iq':
        this.iq(stanza);
        break;
      case 'message':
        await this.message(stanza);
        break;
      case 'receipt':
        if (attrs.type !== 'retry') {
          const list = getBinaryNodeChild(stanza, 'list');
          const ids = [attrs.id, ...getBinaryNodeChildren(list, 'item').map((item) => item.attrs.id)];
          for (const id of ids) fake.confirmed(`message:${id}`);
        } else if (fake.written.has(attrs.id)) {
          // The device could not read it: its sender encrypts it anew, with a new session.
          const { person, message, options } = fake.written.get(attrs.id);
          person.beginAnew();
          fake.retries += 1;
          await fake.write(person, message, options);
        }
        this.send(node('ack', { class: 'receipt', id: attrs.id, from: attrs.to }));
        break;
      case 'ack':
        fake.confirmed(attrs.class === 'receipt' ? `receipt:${attrs.id}:${attrs.type ?? 'delivered'}` : `${attrs.class}:${attrs.id}`);
        break;
    }
    fake.changed();
  }

  iq({ attrs, content }) {
    const { fake } = this;
    if (attrs.type === 'result') {
      // The device has signed its pairing: it is to connect anew.
      if (getBinaryNodeChild({ tag: 'iq', attrs, content }, 'pair-device-sign')) {
        this.send(node('stream:error', { code: '515' }, [node('restart')]));
      }
      return;
    }
    const [first] = Array.isArray(content) ? content : [];
    const answer = (more) => this.send(node('iq', { id: attrs.id, type: 'result', from: SERVER }, more));
    if (attrs.xmlns === 'usync') {
      if (fake.answersUsync) answer([this.usync(first)]);
      else fake.unanswered += 1;
    } else if (attrs.xmlns === 'encrypt' && first?.tag === 'key') {
      const users = getBinaryNodeChildren(first, 'user').map(({ attrs: { jid } }) => fake.find(jid).bundle(jid));
      answer([node('list', {}, users)]);
    } else if (attrs.xmlns === 'encrypt' && first?.tag === 'count') {
      answer([node('count', { value: String(fake.bundle?.preKeys.length ?? 0) })]);
    } else if (attrs.xmlns === 'encrypt' && first?.tag === 'digest') {
      answer([node('digest')]);
    } else if (attrs.xmlns === 'encrypt' && attrs.type === 'set' && first?.tag === 'registration') {
      fake.bundle = uploaded(content);
      answer();
    } else if (attrs.xmlns === 'w:m') {
      const host = node('host', { hostname: 'mmg.whatsapp.net', maxContentLengthBytes: '100000000' });
      answer([node('media_conn', { auth: 'auth', ttl: '300' }, [host])]);
    } else if (first?.tag === 'link_code_companion_reg') {
      this.linkCode(first, answer);
    } else if (first?.tag === 'remove-companion-device') {
      fake.device = null;
      answer();
      this.closeWith(401);
    } else {
      answer();
    }
  }

  linkCode(request, answer) {
    const { fake } = this;
    const bytes = (tag) => Buffer.from(getBinaryNodeChild(request, tag).content);
    if (request.attrs.stage === 'companion_hello') {
      fake.pairingRequest = {
        connection: this,
        wrapped: bytes('link_code_pairing_wrapped_companion_ephemeral_pub'),
        companion: bytes('companion_server_auth_key_pub'),
      };
      answer([node('link_code_companion_reg', { stage: 'companion_hello' }, [node('link_code_pairing_ref', {}, Buffer.from('ref'))])]);
    } else {
      answer();
      fake.finishCode(bytes('link_code_pairing_wrapped_key_bundle'), bytes('companion_identity_public'));
    }
  }

  usync(request) {
    const { fake } = this;
    const query = getBinaryNodeChild(request, 'query').content.map(({ tag }) => tag);
    const users = getBinaryNodeChildren(getBinaryNodeChild(request, 'list'), 'user').map((user) => {
      const said = getBinaryNodeChild(user, 'contact')?.content;
      const phone = said === undefined ? '' : Buffer.from(said).toString();
      const person = phone ? fake.people.get(phone.slice(1)) : fake.find(user.attrs.jid);
      const jid = user.attrs.jid ?? person?.jid ?? `${phone.slice(1)}@${SERVER}`;
      const parts = [];
      if (query.includes('contact')) parts.push(node('contact', { type: person ? 'in' : 'out' }));
      if (query.includes('lid') && person) parts.push(node('lid', { val: person.lid }));
      if (query.includes('devices') && person) {
        const own = person === fake.phone ? [node('device', { id: '7', 'key-index': '1' })] : [];
        parts.push(node('devices', {}, [node('device-list', {}, [node('device', { id: '0' }), ...own])]));
      }
      return node('user', { jid }, parts);
    });
    return node('usync', {}, [node('list', {}, users)]);
  }

  async message(stanza) {
    const { fake } = this;
    const { attrs } = stanza;
    fake.frames.push({ id: attrs.id, to: attrs.to, again: attrs.device_fanout === 'false' });
    const policy = typeof fake.acks === 'function' ? fake.acks(attrs) : fake.acks;
    if (policy === 'lose') return; // The server dies before it has taken it.
    const codes = getBinaryNodeChildren(getBinaryNodeChild(stanza, 'participants'), 'to').map((to) => [
      to.attrs.jid,
      getBinaryNodeChild(to, 'enc'),
    ]);
    const direct = getBinaryNodeChild(stanza, 'enc');
    if (direct) codes.push([attrs.to, direct]);
    if (/^\d+$/.test(policy)) {
      this.send(node('ack', { class: 'message', id: attrs.id, from: attrs.to, error: policy, t: now() }));
      return;
    }
    if (policy === 'drop') this.socket.terminate();
    else if (policy === 'hold') fake.held.push({ connection: this, attrs });
    else this.ack(attrs);
    for (const [jid, enc] of codes) {
      const person = fake.find(jid);
      try {
        const message = await person.decrypt(enc.attrs.type, enc.content);
        if (person === fake.phone) continue;
        fake.delivered.push({ id: attrs.id, to: person.number, message, person });
        if (fake.receipts !== 'none') fake.receipt(person, attrs.id, 'delivered');
        if (fake.receipts === 'read') fake.receipt(person, attrs.id, 'read');
      } catch (error) {
        fake.faults.push(`${person?.name ?? jid} could not read ${attrs.id}: ${error.message}`);
      }
    }
    fake.changed();
  }

  ack(attrs) {
    this.send(node('ack', { class: 'message', id: attrs.id, from: attrs.to, t: now() }));
  }
}

/** The keys of the device, from its upload. */
function uploaded(content) {
  const of = (tag) => content.find((one) => one.tag === tag);
  const key = (one) => ({
    id: uint(getBinaryNodeChild(one, 'id').content),
    value: Buffer.from(getBinaryNodeChild(one, 'value').content),
  });
  const skey = of('skey');
  return {
    registrationId: uint(of('registration').content),
    identity: Buffer.from(of('identity').content),
    signedPreKey: { ...key(skey), signature: Buffer.from(getBinaryNodeChild(skey, 'signature').content) },
    preKeys: of('list').content.map(key),
  };
}

const now = () => String(Math.floor(Date.now() / 1000));
