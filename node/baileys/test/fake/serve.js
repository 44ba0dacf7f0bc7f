/**
 * The fake WhatsApp as a process, for tests of the API and to try things by hand.
 *
 *   npm ci --legacy-peer-deps --ignore-scripts    once, in node/baileys
 *   node test/fake/serve.js                       the fake alone
 *   node test/fake/serve.js node .                and the sidecar, with what it needs to find it
 *
 * Prints one line of JSON: `control` (an address on loopback) and `environ` (what a sidecar that
 * is started otherwise needs, `NODE_OPTIONS` with the preload included). It ends when its standard
 * input does, or the program that it was told to run.
 *
 * At `control`, in JSON:
 *
 *   POST /scan {"qr"}                     the phone scans the code of GET /v1/session/qr
 *   POST /people {"numbers": ["97252…"]}  these have WhatsApp
 *   POST /write {"number", "text" | "message"}  somebody writes; {"id"}
 *   POST /picture {"number", "data", "caption"}  somebody sends a JPEG (base64); {"id"}
 *   POST /receipt {"number", "id", "type"}      `delivered`, `read`
 *   POST /set {"acks", "receipts"}        as the fields of FakeWhatsApp
 *   POST /close {"code"}                  the connection ends
 *   GET /state[?since=n]                  online, pending, frames per message id, what was decrypted since the n-th, faults
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

import { FakeWhatsApp } from './whatsapp.js';

const fake = await new FakeWhatsApp().start();

const commands = {
  scan: ({ qr }) => fake.scan(qr),
  people: ({ numbers }) => numbers.forEach((number) => fake.person(number)),
  write: async ({ number, text, message = { conversation: text } }) => ({ id: await fake.write(fake.person(number), message) }),
  picture: async ({ number, data, caption }) => {
    const picture = Buffer.from(data, 'base64');
    const fileSha256 = createHash('sha256').update(picture).digest();
    const file = { ...fake.putFile(picture), fileSha256, mimetype: 'image/jpeg', caption };
    return { id: await fake.write(fake.person(number), { imageMessage: file }) };
  },
  receipt: ({ number, id, type }) => fake.receipt(fake.person(number), id, type),
  set: ({ acks = fake.acks, receipts = fake.receipts }) => Object.assign(fake, { acks, receipts }) && {},
  close: ({ code }) => fake.closeWith(code),
};

function state(since) {
  const frames = {};
  for (const { id } of fake.frames) frames[id] = (frames[id] ?? 0) + 1;
  const delivered = fake.delivered
    .slice(since)
    .map(({ id, to, message }) => ({ id, to, text: message.extendedTextMessage?.text ?? message.conversation ?? null }));
  return { online: fake.online.length, ready: fake.bundle !== null, pending: fake.pending.size, frames, delivered, faults: fake.faults };
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  let body = '';
  for await (const chunk of request) body += chunk;
  try {
    const command = commands[url.pathname.slice(1)];
    if (request.method === 'POST' && !command) throw new Error(`no such command: ${url.pathname}`);
    const answer = request.method === 'POST' ? await command(JSON.parse(body || '{}')) : state(Number(url.searchParams.get('since') ?? 0));
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer ?? {}));
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ error: error.message }));
  }
});
server.listen(0, '127.0.0.1', () => {
  const environ = { ...fake.environ, NODE_OPTIONS: `--import ${new URL('preload.js', import.meta.url)}` };
  process.stdout.write(`${JSON.stringify({ control: `http://127.0.0.1:${server.address().port}`, environ })}\n`);
  const [program, ...options] = process.argv.slice(2);
  if (program === undefined) return;
  const child = spawn(program, options, { env: { ...process.env, ...environ }, stdio: ['ignore', 'inherit', 'inherit'] });
  child.on('error', (error) => process.stderr.write(`${error.message}\n`) && process.exit(1));
  child.on('exit', (code) => process.exit(code ?? 1));
  process.on('exit', () => child.kill());
  process.on('SIGINT', () => {}); // the program has it too, and ends in order
  process.on('SIGTERM', () => child.kill());
});
process.stdin.resume().on('end', () => process.exit(0));
