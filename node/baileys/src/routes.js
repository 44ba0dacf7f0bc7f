/** The routes of README.md: what each asks of the parts, and how it answers. */

import qrcode from 'qrcode-generator';

import { download } from './media.js';
import { shown } from './records.js';
import { Problem, badMessage, notNow } from './problems.js';
import { erasureRequest, recipient, sendRequest } from './requests.js';

/** @typedef {import('./http.js').Route} Route */

/**
 * @param {object} parts
 * @param {import('./supervisor.js').Supervisor} parts.supervisor
 * @param {import('./outgoing.js').Outgoing} parts.outgoing
 * @param {import('./inbox.js').Inbox} parts.inbox
 * @param {import('./events.js').Events} parts.events
 * @param {import('./erasing.js').Erasing} parts.erasing
 * @param {import('./metrics.js').Metrics} parts.metrics
 * @returns {Route[]}
 */
export function routes({ supervisor, outgoing, inbox, events, erasing, metrics }) {
  const owned = () => {
    const { held, storeFine } = supervisor.ownership;
    if (!held) throw storeFine ? notNow('not_connected', 'this process does not own the session', 10) : notNow('store_away', 'the store does not answer', 3);
  };
  const view = (/** @type {import('./records.js').Record} */ record) => ({ ...shown(record), under_way: outgoing.isUnderWay(record.id) });
  return [
    {
      method: 'POST',
      path: /^\/v1\/messages$/,
      answer: async (_, body) => {
        const request = sendRequest(body);
        owned();
        try {
          const record = await outgoing.send(request);
          if (record.status === 'failed') throw refused(record);
          return { status: record.status === 'queued' || record.status === 'sending' || record.status === 'unknown' ? 202 : 200, body: view(record) };
        } catch (error) {
          if (error instanceof Problem) metrics.add('baileys_refused_total', { code: error.code });
          throw error;
        }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/messages\/([^/]{1,400})$/,
      answer: async ([id]) => {
        owned();
        const record = await outgoing.find(id);
        if (record === null) throw new Problem(404, 'not_found', 'no message of this id was ever recorded');
        return { status: 200, body: view(record) };
      },
    },
    { method: 'GET', path: /^\/v1\/session$/, answer: () => ({ status: 200, body: supervisor.view() }) },
    {
      method: 'POST',
      path: /^\/v1\/session\/start$/,
      answer: () => {
        owned();
        supervisor.begin();
        return { status: 202, body: supervisor.view() };
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/session\/logout$/,
      answer: async () => {
        owned();
        await supervisor.logout();
        return { status: 202, body: supervisor.view() };
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/session\/pairing-code$/,
      answer: async (_, body) => {
        owned();
        const { phone } = recipient(/** @type {any} */ (body)?.phone);
        if (phone === null) throw badMessage('phone must be a number such as +972501234567');
        return { status: 200, body: { code: await supervisor.pairingCode(phone), phone } };
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/session\/qr$/,
      answer: () => {
        const { qr } = supervisor;
        if (qr === null || qr.expiresMs < supervisor.now()) {
          throw new Problem(404, 'not_found', `there is no QR code now: the session is ${supervisor.state}`);
        }
        return { status: 200, body: { qr: qr.text, ...drawn(qr.text), expires_at: new Date(qr.expiresMs).toISOString() } };
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/media\/([^/]{1,200})$/,
      answer: async ([id]) => {
        owned();
        const message = await inbox.find(id);
        if (message === null) throw new Problem(404, 'not_found', 'no message of this id is kept');
        const { data, mimeType, fileName } = await download(message);
        const name = encodeURIComponent(fileName ?? id).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
        const headers = { 'content-disposition': `attachment; filename*=UTF-8''${name}`, 'x-content-type-options': 'nosniff' };
        return { status: 200, body: data, type: mimeType, headers };
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/events\/retry$/,
      answer: async () => {
        owned();
        return { status: 202, body: { retried: await events.retryDead() } };
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/people\/erase$/,
      answer: async (_, body) => {
        const request = erasureRequest(body);
        owned();
        return { status: 200, body: { erased: await erasing.erase(request) } };
      },
    },
    { method: 'GET', path: /^\/healthz$/, open: true, answer: () => ({ status: 200, body: 'ok', type: 'text/plain' }) },
    {
      method: 'GET',
      path: /^\/readyz$/,
      open: true,
      answer: () => ({
        status: supervisor.draining || !supervisor.ownership.storeAnswered ? 503 : 200,
        body: { store: supervisor.ownership.storeFine ? 'ok' : 'err', whatsapp: supervisor.state, events: events.full ? 'full' : 'ok' },
      }),
    },
    {
      method: 'GET',
      path: /^\/metrics$/,
      open: true,
      answer: () => {
        metrics.set('baileys_events_waiting', events.waiting);
        metrics.set('baileys_events_dead', events.dead);
        metrics.set('baileys_in_flight', outgoing.jobs.size);
        metrics.forget('baileys_session_state');
        metrics.set('baileys_session_state', 1, { state: supervisor.state });
        if (supervisor.lastFrameMs !== null) {
          metrics.set('baileys_last_frame_age_seconds', Math.round((supervisor.now() - supervisor.lastFrameMs) / 1000));
        }
        return { status: 200, body: metrics.text(), type: 'text/plain; version=0.0.4; charset=utf-8' };
      },
    },
  ];
}

/** @param {import('./records.js').Record} record */
function refused({ error, ...record }) {
  const more = { wa_code: error?.wa_code ?? null, message: shown({ ...record, error }) };
  return new Problem(422, error?.code ?? 'refused', error?.detail ?? 'WhatsApp refused the message', { more });
}

/** The code as a picture, and as the modules of it for who draws by other means. @param {string} text */
function drawn(text) {
  const code = qrcode(0, 'L');
  code.addData(text, 'Byte');
  code.make();
  const modules = Array.from({ length: code.getModuleCount() }, (_, place) => place);
  return {
    svg: code.createSvgTag({ cellSize: 4, margin: 16, scalable: true }),
    rows: modules.map((row) => modules.map((column) => Number(code.isDark(row, column))).join('')),
  };
}
