/**
 * Loaded before the sidecar in tests (`node --import`): the one key that WhatsApp's certificates
 * are checked against becomes the fake server's, and WhatsApp's media host becomes a local one.
 * The library itself stays as it is.
 */

import https from 'node:https';
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

const { WA_CERT_DETAILS } = await import('baileys');
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(process.env.FAKE_WA_ROOT_KEY ?? '', 'hex');

const mediaPort = process.env.FAKE_WA_MEDIA_PORT;
const elsewhere = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = String(input instanceof Request ? input.url : input);
  const host = new URL(url).host;
  if (host.endsWith('.whatsapp.net')) return elsewhere(url.replace(/^https:\/\/[^/]+/, `http://127.0.0.1:${mediaPort}`), init);
  if (!/^(127\.0\.0\.1|localhost)(:|$)/.test(host)) throw new TypeError(`a test asked for ${host}`);
  return elsewhere(input, init);
};
https.request = (options, done) => http.request({ ...options, hostname: '127.0.0.1', port: mediaPort, agent: undefined }, done);
syncBuiltinESMExports();
