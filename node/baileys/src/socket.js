/**
 * One connection to WhatsApp: the adapter around the library's `makeWASocket`.
 *
 * Credentials and hooks flow in; what happens on the socket flows out through the listener, in
 * our words. It opens and closes, and decides nothing: when to connect again is the
 * supervisor's matter. The library's objects stay in here.
 */

import makeWASocket, { Browsers, jidNormalizedUser, proto } from 'baileys';

import { isIgnored } from './inbound.js';
import { libraryLogger, said } from './log.js';
import { NotSent } from './outgoing.js';
import { sending, signalRepository } from './signal.js';

/** @typedef {import('./records.js').Status} Status */
/** @typedef {{code: number | null, transport: boolean, text: string}} Ending */

/**
 * @typedef {object} Listener
 * @property {(qr: string) => void} qr
 * @property {() => void} open
 * @property {(ending: Ending) => void} closed once, whatever happens
 * @property {() => void} frame
 * @property {(node: any) => void} arrived a message's stanza, before anything is done with it
 * @property {import('./signal.js').Hooks['keep']} keep
 * @property {(messages: import('baileys').WAMessage[], whileAway: boolean) => Promise<void>} messages
 * @property {(messageId: string, errorCode: string | null) => Promise<void>} acknowledged
 * @property {(messageIds: string[], status: Status) => Promise<void>} reached
 * @property {(until: number | null) => Promise<void>} restricted no new chats; `null`: not said until when
 * @property {() => Promise<void>} credentials they have changed
 * @property {(error: unknown) => void} fault something could not be kept or dealt with
 */

const CLOSE_WITHIN_MS = 3_000;
const QUERY_TIMEOUT_MS = 20_000;
const RETRY_COUNTERS = 5_000;

/** How often a message was asked for again; outlives the sockets, or a loop would never end. */
const retryCounters = boundedCache(RETRY_COUNTERS);

const RECEIPTS = /** @type {Record<string, Status>} */ ({
  // Of a receipt without a type: delivered.
  '': 'delivered',
  read: 'read',
  'read-self': 'read',
  played: 'read',
  // One of our own devices or theirs has it, readable or not: the server has taken it.
  sender: 'sent',
  inactive: 'delivered',
  retry: 'sent',
});

/**
 * @param {object} parts
 * @param {import('./credentials.js').Credentials} parts.credentials
 * @param {import('./config.js').Config} parts.config
 * @param {import('./log.js').Log} parts.log
 * @param {(messageId: string) => Promise<Uint8Array | null>} parts.sentBytes the bytes of a message of ours
 * @param {Listener} listener
 */
export function openSocket({ credentials, config, log, sentBytes }, listener) {
  const sock = makeWASocket({
    auth: { creds: credentials.creds, keys: /** @type {any} */ ({ get: guarded(credentials.keys.get), set: guarded(credentials.keys.set) }) },
    ...(config.waUrl === null ? {} : { waWebSocketUrl: config.waUrl }),
    ...(config.waVersion === null ? {} : { version: config.waVersion }),
    logger: /** @type {any} */ (libraryLogger(log)),
    browser: Browsers.ubuntu('Chrome'),
    markOnlineOnConnect: false,
    syncFullHistory: false,
    // The first history brings the pairs of number and LID; the recent one would hold back all
    // events for 20 s, for messages that are not ours to tell.
    shouldSyncHistoryMessage: ({ syncType }) =>
      syncType !== proto.HistorySync.HistorySyncType.FULL && syncType !== proto.HistorySync.HistorySyncType.RECENT,
    emitOwnEvents: false,
    generateHighQualityLinkPreview: false,
    defaultQueryTimeoutMs: QUERY_TIMEOUT_MS,
    transactionOpts: { maxCommitRetries: 2, delayBetweenTriesMs: 300 },
    shouldIgnoreJid: isIgnored,
    cachedGroupMetadata: async () => undefined,
    msgRetryCounterCache: /** @type {any} */ (retryCounters),
    getMessage: async ({ id }) => {
      const bytes = await sentBytes(id ?? '');
      return bytes === null ? undefined : proto.Message.decode(bytes);
    },
    makeSignalRepository: signalRepository({ keep: listener.keep }),
  });
  const ws = /** @type {any} */ (sock.ws);
  let over = false;
  /** @type {NodeJS.Timeout | undefined} */
  let closing;

  /** What cannot be kept must not be confirmed to WhatsApp, not even as a failure (the library
   * would): the socket is gone before the error is seen, and the message comes again.
   * @template {any[]} A @template T @param {(...args: A) => Promise<T>} work @returns {(...args: A) => Promise<T>} */
  function guarded(work) {
    return async (...args) => {
      try {
        return await work(...args);
      } catch (error) {
        listener.fault(error);
        throw error;
      }
    };
  }

  /** For what the library does not wait for. @param {Promise<unknown>} work */
  const unwatched = (work) => void work.catch((error) => listener.fault(error));

  /** @param {Ending} ending */
  const ended = (ending) => {
    if (over) return;
    over = true;
    clearTimeout(closing);
    listener.closed(ending);
  };

  // The library listens for this and does nothing, so that the socket would hang for ever.
  ws.on('unexpected-response', (/** @type {any} */ _, /** @type {import('node:http').IncomingMessage} */ response) => {
    response.destroy();
    ended({ code: response.statusCode ?? null, transport: true, text: `HTTP ${response.statusCode} instead of a WebSocket` });
    void sock.end(undefined);
    ws.socket?.terminate();
  });
  ws.on('frame', () => listener.frame());
  ws.prependListener('CB:message', (/** @type {any} */ node) => listener.arrived(node));
  ws.on('CB:ack,class:message', (/** @type {any} */ { attrs }) => {
    if (attrs.id) unwatched(listener.acknowledged(attrs.id, attrs.error ?? null));
    if (attrs.error === '463') unwatched(listener.restricted(null));
  });
  before(ws, 'CB:receipt', async (node) => {
    const status = RECEIPTS[node.attrs.type ?? ''];
    if (status === undefined || !node.attrs.id) return;
    const list = Array.isArray(node.content) ? node.content.find((/** @type {any} */ child) => child.tag === 'list') : null;
    const more = Array.isArray(list?.content) ? list.content.map((/** @type {any} */ item) => item.attrs.id) : [];
    await guarded(listener.reached)([node.attrs.id, ...more], status);
  });

  sock.ev.on('creds.update', () => unwatched(listener.credentials()));
  sock.ev.on('messages.upsert', ({ messages, type }) => unwatched(listener.messages(messages, type === 'append')));
  sock.ev.on('messages.update', (updates) => {
    for (const { key, update } of updates) {
      const level = Number(update.status ?? -1);
      if (!key.fromMe || !key.id || level < 0) continue;
      if (level === 0) unwatched(listener.acknowledged(key.id, update.messageStubParameters?.[0] ?? 'unknown'));
      else if (level >= 2) unwatched(listener.reached([key.id], level === 2 ? 'sent' : level === 3 ? 'delivered' : 'read'));
    }
  });
  sock.ev.on('connection.update', ({ qr, connection, lastDisconnect, reachoutTimeLock }) => {
    if (reachoutTimeLock?.isActive) unwatched(listener.restricted(reachoutTimeLock.timeEnforcementEnds?.getTime() ?? null));
    if (qr) listener.qr(qr);
    if (connection === 'open') listener.open();
    if (connection === 'close') ended(ending(lastDisconnect?.error));
  });

  return {
    /** Ends it now; `closed` follows. */
    close() {
      closing ??= setTimeout(() => ended({ code: null, transport: false, text: 'closed by the sidecar' }), CLOSE_WITHIN_MS);
      void sock.end(undefined);
      ws.socket?.terminate();
    },

    /** @param {string} digits @returns {Promise<string>} */
    requestPairingCode: (digits) => sock.requestPairingCode(digits),

    /** Unlinks this device; `closed` with 401 follows. */
    logout: () => sock.logout(),

    /** Whether that number has WhatsApp: its id, else `null`. @param {string} jid @returns {Promise<string | null>} */
    async find(jid) {
      const found = await sock.onWhatsApp(jid);
      if (found === undefined) throw new Error('WhatsApp did not say whether the number has WhatsApp');
      const [one] = found;
      if (!one?.exists) return null;
      return one.jid?.endsWith('@s.whatsapp.net') ? jidNormalizedUser(one.jid) : jid;
    },

    /** All ids of a person that are known here. @param {string} jid @returns {Promise<string[]>} */
    async idsOf(jid) {
      const { lidMapping } = sock.signalRepository;
      const other = await (jid.endsWith('@lid') ? lidMapping.getPNForLID(jid) : lidMapping.getLIDForPN(jid)).catch(() => null);
      return other ? [jid, jidNormalizedUser(other)] : [jid];
    },

    /** @param {string} jid @param {string} messageId @param {Uint8Array} bytes @param {() => Promise<void>} onWire */
    async relay(jid, messageId, bytes, onWire) {
      if (over) throw new NotSent('the connection has ended');
      try {
        await sending.run({ onWire }, () => sock.relayMessage(jid, proto.Message.decode(bytes), { messageId }));
      } catch (error) {
        // The library's own look before it writes; anything later is not known.
        const status = /** @type {any} */ (error)?.output?.statusCode;
        if (status === 428 && /** @type {Error} */ (error).message === 'Connection Closed') throw new NotSent('the connection has ended');
        throw error;
      }
    },

    /** Does the work while no message is encrypted or decrypted; the library's own memory of where
     * these people's ids lead goes as well.
     * @template T @param {() => Promise<T>} work @param {Set<string>} users @returns {Promise<T>} */
    async alone(work, users) {
      const { alone, lidMapping } = /** @type {any} */ (sock.signalRepository);
      const done = await alone(work);
      for (const user of users) {
        for (const key of [`pn:${user}`, `lid:${user}`]) lidMapping.mappingCache?.delete(key);
      }
      return done;
    },

    upload: sock.waUploadToServer,
  };
}

/** @typedef {ReturnType<typeof openSocket>} Socket */

/** Has `work` done before the library's own listeners see it; what fails is not shown to them.
 * @param {any} emitter @param {string} event @param {(node: any) => Promise<void>} work */
function before(emitter, event, work) {
  const listeners = emitter.listeners(event);
  emitter.removeAllListeners(event);
  emitter.on(event, async (/** @type {any} */ node) => {
    try {
      await work(node);
    } catch {
      return;
    }
    for (const listener of listeners) listener.call(emitter, node);
  });
}

/** @param {unknown} error @returns {Ending} */
function ending(error) {
  const status = /** @type {any} */ (error)?.output?.statusCode;
  const text = error === undefined ? 'closed' : said(error);
  return {
    code: typeof status === 'number' ? status : null,
    // So the library words it when the WebSocket itself failed, with the HTTP status as the code.
    transport: error instanceof Error && error.message.startsWith('WebSocket Error ('),
    text,
  };
}

/** @param {number} max */
function boundedCache(max) {
  /** @type {Map<string, any>} */
  const values = new Map();
  return {
    get: (/** @type {string} */ key) => values.get(key),
    set(/** @type {string} */ key, /** @type {any} */ value) {
      values.delete(key);
      values.set(key, value);
      if (values.size > max) values.delete(/** @type {string} */ (values.keys().next().value));
    },
    del: (/** @type {string} */ key) => void values.delete(key),
    flushAll: () => values.clear(),
  };
}
