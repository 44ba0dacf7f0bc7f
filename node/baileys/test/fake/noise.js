/**
 * The responder of WhatsApp's Noise XX handshake, with a certificate chain of its own.
 *
 * Bytes of a WebSocket flow in, decrypted frames flow out, and back.
 */

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';

import { Curve, hkdf, proto } from 'baileys';

const HEADER = Buffer.from([87, 65, 6, 3]);
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();

function iv(counter) {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(counter, 8);
  return bytes;
}

function encrypt(plaintext, key, counter, data) {
  const cipher = createCipheriv('aes-256-gcm', key, iv(counter)).setAAD(data);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(ciphertext, key, counter, data) {
  const decipher = createDecipheriv('aes-256-gcm', key, iv(counter)).setAAD(data);
  decipher.setAuthTag(ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]);
}

/** Root, intermediate and server key, as the server would have them. */
export function makeAuthority() {
  const [root, intermediate, own] = [Curve.generateKeyPair(), Curve.generateKeyPair(), Curve.generateKeyPair()];
  const signed = (details, issuer) => {
    const bytes = proto.CertChain.NoiseCertificate.Details.encode(details).finish();
    return { details: bytes, signature: Curve.sign(issuer.private, bytes) };
  };
  const chain = proto.CertChain.encode({
    intermediate: signed({ serial: 1, issuerSerial: 0, key: intermediate.public }, root),
    leaf: signed({ serial: 2, issuerSerial: 1, key: own.public }, intermediate),
  }).finish();
  return { rootKey: Buffer.from(root.public).toString('hex'), own, chain };
}

export class NoiseResponder {
  constructor(authority, send) {
    this.authority = authority;
    this.send = send;
    this.buffer = Buffer.alloc(0);
    this.begun = false;
    this.ephemeral = Curve.generateKeyPair();
    this.hash = this.salt = this.key = Buffer.from('Noise_XX_25519_AESGCM_SHA256\0\0\0\0');
    this.counter = 0;
    this.transport = null;
  }

  /** Takes bytes; gives frames: the client's payload first, decrypted frames after it. */
  take(bytes) {
    this.buffer = Buffer.concat([this.buffer, bytes]);
    if (!this.begun) {
      if (this.buffer.subarray(0, 2).toString() === 'ED') {
        this.buffer = this.buffer.subarray(7 + this.buffer.readUInt16BE(5));
      }
      this.mixHash(HEADER);
      this.buffer = this.buffer.subarray(HEADER.length);
      this.begun = true;
    }
    const frames = [];
    while (this.buffer.length >= 3) {
      const size = this.buffer.readUIntBE(0, 3);
      if (this.buffer.length < size + 3) break;
      const frame = this.buffer.subarray(3, size + 3);
      this.buffer = this.buffer.subarray(size + 3);
      if (this.transport !== null) frames.push({ frame: decrypt(frame, this.transport.read, this.transport.reads++, Buffer.alloc(0)) });
      else {
        const login = this.shake(proto.HandshakeMessage.decode(frame));
        if (login !== null) frames.push({ login });
      }
    }
    return frames;
  }

  write(plaintext) {
    this.frame(encrypt(plaintext, this.transport.write, this.transport.writes++, Buffer.alloc(0)));
  }

  frame(bytes) {
    const head = Buffer.alloc(3);
    head.writeUIntBE(bytes.length, 0, 3);
    this.send(Buffer.concat([head, bytes]));
  }

  shake({ clientHello, clientFinish }) {
    if (clientHello) {
      this.client = Buffer.from(clientHello.ephemeral);
      this.mixHash(this.client);
      this.mixHash(this.ephemeral.public);
      this.mixKey(this.ephemeral.private, this.client);
      const sealed = this.seal(this.authority.own.public);
      this.mixKey(this.authority.own.private, this.client);
      const payload = this.seal(this.authority.chain);
      const serverHello = { ephemeral: this.ephemeral.public, static: sealed, payload };
      this.frame(proto.HandshakeMessage.encode({ serverHello }).finish());
      return null;
    }
    const noiseKey = this.unseal(Buffer.from(clientFinish.static));
    this.mixKey(this.ephemeral.private, noiseKey);
    const payload = proto.ClientPayload.decode(this.unseal(Buffer.from(clientFinish.payload)));
    const [read, write] = this.split(Buffer.alloc(0));
    this.transport = { read, write, reads: 0, writes: 0 };
    return { noiseKey, payload };
  }

  mixHash(bytes) {
    this.hash = sha256(this.hash, bytes);
  }

  split(secret) {
    const keys = Buffer.from(hkdf(secret, 64, { salt: this.salt, info: '' }));
    return [keys.subarray(0, 32), keys.subarray(32)];
  }

  mixKey(own, other) {
    [this.salt, this.key] = this.split(Curve.sharedKey(own, other));
    this.counter = 0;
  }

  seal(plaintext) {
    const sealed = encrypt(plaintext, this.key, this.counter++, this.hash);
    this.mixHash(sealed);
    return sealed;
  }

  unseal(ciphertext) {
    const plaintext = decrypt(ciphertext, this.key, this.counter++, this.hash);
    this.mixHash(ciphertext);
    return plaintext;
  }
}
