/** The sidecar as its users run it: `node .` in a process of its own, and a client of its HTTP. */

import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const TOKEN = 'a-token-of-the-tests-0123456789';

export class Sidecar {
  /** @param {Record<string, string>} environ */
  constructor(environ) {
    this.environ = { BAILEYS_PORT: '0', BAILEYS_TOKEN: TOKEN, BAILEYS_PACE_MS: '0', BAILEYS_HOURLY_CAP: '0', BAILEYS_DAILY_CAP: '0', BAILEYS_NEW_CHATS_DAILY_CAP: '0', ...environ };
    this.output = '';
    this.waiters = new Set();
  }

  async start() {
    this.process = spawn(process.execPath, ['--import', resolve(ROOT, 'test/fake/preload.js'), '.'], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, HOME: '/nonexistent', ...this.environ },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.ended = new Promise((resolve) => this.process.once('exit', (code, signal) => resolve({ code, signal })));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        this.output += text;
        for (const look of this.waiters) look();
      });
    }
    const from = this.output.length;
    const port = await this.said(/The sidecar listens".* port=(\d+)/, from);
    this.url = `http://127.0.0.1:${port[1]}`;
    return this;
  }

  /** Waits for a line. */
  said(pattern, from = 0, ms = 60_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.delete(look);
        reject(new Error(`the sidecar did not say ${pattern}:\n${this.output.slice(-3000)}`));
      }, ms);
      const look = () => {
        const match = pattern.exec(this.output.slice(from));
        if (match === null) return;
        clearTimeout(timer);
        this.waiters.delete(look);
        resolve(match);
      };
      this.waiters.add(look);
      look();
    });
  }

  async kill(signal = 'SIGKILL') {
    if (this.process === undefined || this.process.exitCode !== null || this.process.signalCode !== null) return null;
    this.process.kill(signal);
    return this.ended;
  }

  async call(method, path, body, headers = {}) {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const type = response.headers.get('content-type') ?? '';
    return { status: response.status, headers: response.headers, bytes, body: type.includes('json') && bytes.length > 0 ? JSON.parse(bytes.toString()) : bytes.toString() };
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body = {}) {
    return this.call('POST', path, body);
  }

  send(message) {
    return this.post('/v1/messages', message);
  }

  /** Waits until the session is in that state. */
  state(wanted) {
    return this.session(({ state }) => state === wanted, wanted);
  }

  /** Waits until the condition holds of the session. */
  async session(condition, what, ms = 60_000) {
    const deadline = Date.now() + ms;
    for (;;) {
      const { body } = await this.get('/v1/session');
      if (condition(body)) return body;
      if (Date.now() > deadline) throw new Error(`the session is ${JSON.stringify(body)}, not ${what}\n${this.output.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Pairs by QR code and waits until it is connected. */
  async pair(fake) {
    await this.state('pairing');
    fake.scan((await this.get('/v1/session/qr')).body.qr);
    await this.state('open');
    await fake.until(() => fake.online.length === 1 && fake.bundle, 'the keys of the device');
  }
}
