/** The API's side of the events: checks every signature, keeps what came, answers as told. */

import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';

import { webhookKey } from '../../src/signing.js';
import { TOKEN } from './sidecar.js';

export class FakeApi {
  constructor() {
    this.events = [];
    this.taken = new Set();
    this.posts = 0;
    this.badSignatures = 0;
    /** @type {number | ((event: any) => number)} */
    this.answers = 204;
    this.waiters = new Set();
  }

  async start(port = 0) {
    this.server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      this.posts += 1;
      if (!this.genuine(request.headers, body)) this.badSignatures += 1;
      const event = JSON.parse(body);
      const status = typeof this.answers === 'function' ? this.answers(event) : this.answers;
      // As the API does: an event that comes twice is taken once.
      if (status === 204 && !this.taken.has(event.id)) this.events.push(event);
      if (status === 204) this.taken.add(event.id);
      response.writeHead(status).end();
      for (const look of this.waiters) look();
    });
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get port() {
    return this.server.address().port;
  }

  get environ() {
    return { VOICEAGENT_URL: `http://127.0.0.1:${this.port}` };
  }

  genuine(headers, body) {
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const right = `v1,${createHmac('sha256', webhookKey(TOKEN)).update(signed).digest('base64')}`;
    const near = Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 60;
    return near && headers['webhook-signature'] === right && headers['webhook-id'] === JSON.parse(body).id;
  }

  of(type) {
    return this.events.filter((event) => event.type === type).map((event) => event.data);
  }

  /** Waits until the condition holds of what has come. */
  until(condition, what, ms = 60_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.delete(look);
        reject(new Error(`waited for ${what}; came: ${JSON.stringify(this.events.map(({ type, data }) => [type, data.status ?? data.text ?? data.state]))}`));
      }, ms);
      const look = () => {
        const value = condition(this);
        if (!value) return;
        clearTimeout(timer);
        this.waiters.delete(look);
        resolve(value);
      };
      this.waiters.add(look);
      look();
    });
  }

  status(id, status) {
    return this.until(() => this.of('message.status').find((data) => data.id === id && data.status === status), `${id} ${status}`);
  }

  received(text) {
    return this.until(() => this.of('message.received').find((data) => data.text === text), `a message ${text}`);
  }
}
