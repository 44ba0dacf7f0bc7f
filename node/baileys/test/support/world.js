/** A fake WhatsApp, a fake API and a sidecar between them, in a folder that goes away. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FakeWhatsApp } from '../fake/whatsapp.js';
import { FakeApi } from './api.js';
import { Sidecar } from './sidecar.js';

export class World {
  /** @param {Record<string, string>} [environ] */
  async start(environ = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'sidecar-'));
    this.fake = await new FakeWhatsApp().start();
    this.api = await new FakeApi().start();
    this.environ = { ...this.fake.environ, ...this.api.environ, DATA_DIR: this.folder, ...environ };
    this.sidecar = await new Sidecar(this.environ).start();
    this.outputs = [];
    return this;
  }

  /** The same, paired and connected. */
  async connected(environ) {
    await this.start(environ);
    await this.sidecar.pair(this.fake);
    return this;
  }

  /** Ends the sidecar and starts it again over the same data. */
  async restart(signal = 'SIGKILL', environ = {}) {
    await this.sidecar.kill(signal);
    this.outputs.push(this.sidecar.output);
    this.sidecar = await new Sidecar({ ...this.environ, ...environ }).start();
    return this.sidecar;
  }

  /** Sends as the API's outbox does: again until the answer says what became of it. The sidecar may
   * be killed and started a few times meanwhile. */
  async sent(message) {
    for (const deadline = Date.now() + 180_000; ; ) {
      // It may be away at the moment, or come to the message later than an answer waits.
      const answer = await this.sidecar.send(message).catch(() => null);
      const open = answer === null || answer.status === 503 || ['queued', 'sending'].includes(answer.body.status);
      if (!open) return answer;
      if (Date.now() > deadline) throw new Error(`${message.id} came to nothing: ${JSON.stringify(answer?.body)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** All that the sidecars have said. */
  get output() {
    return [...this.outputs, this.sidecar.output].join('');
  }

  async stop() {
    await this.sidecar?.kill();
    await this.fake?.stop();
    await this.api?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let number = 0;
/** An id that was not used before. */
export const newId = () => `m-${(number += 1)}`;
export const text = (message) => message.extendedTextMessage?.text ?? message.conversation;
