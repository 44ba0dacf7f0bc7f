/**
 * The start of the sidecar, and the only place where its parts are put together.
 *
 * The console is silenced before the WhatsApp library is loaded: what it builds on prints
 * sessions with their private keys there.
 */

import { makeLog, said, whence } from './log.js';
import { ConfigError, loadConfig } from './config.js';
import { Metrics } from './metrics.js';

const STOP_WITHIN_MS = 8_000;
const metrics = new Metrics();

for (const method of /** @type {const} */ (['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table'])) {
  console[method] = () => metrics.add('baileys_console_lines_total');
}

if (Number.parseInt(process.versions.node, 10) < 20) {
  makeLog('logfmt').error(`Node 20 or newer is needed, this is ${process.versions.node}`);
  process.exit(2);
}
/** @type {import('./config.js').Config} */
let config;
try {
  config = loadConfig(process.env);
} catch (error) {
  const faults = error instanceof ConfigError ? error.faults : [said(error)];
  const log = makeLog(process.env.LOG_FORMAT ?? 'logfmt');
  for (const fault of faults) log.error(fault);
  process.exit(2);
}
const log = makeLog(config.logFormat);

process.on('unhandledRejection', (error) => {
  // Mostly the library's, from timers that outlive their socket. The session goes on.
  metrics.add('baileys_rejections_total');
  log.warning('An unhandled rejection was survived', { error: said(error), at: whence(error) });
});
process.on('uncaughtException', (error) => {
  // Nobody knows what is half done in memory; the store does. A guard starts the sidecar again.
  log.error('The sidecar ends: an exception that nobody caught', { error: said(error), at: whence(error) });
  process.exit(1);
});

const [{ FileStore }, { PostgresStore }, { Credentials }, { Supervisor }, { SessionWire }, { Events }, { Outgoing }, { Inbox }, { Erased }, { Erasing }, { makeServer }, { routes }, { webhookKey }] =
  await Promise.all([
    import('./store/files.js'),
    import('./store/postgres.js'),
    import('./credentials.js'),
    import('./supervisor.js'),
    import('./wire.js'),
    import('./events.js'),
    import('./outgoing.js'),
    import('./inbox.js'),
    import('./erased.js'),
    import('./erasing.js'),
    import('./http.js'),
    import('./routes.js'),
    import('./signing.js'),
  ]);

const store =
  config.databaseUrl === null ? new FileStore(`${config.dataDir}/baileys`, log) : new PostgresStore(config.databaseUrl, log);
const credentials = new Credentials(store);
const supervisor = new Supervisor({ config, store, credentials, log, metrics });
const events = new Events({
  store,
  url: config.eventsUrl,
  key: webhookKey(config.token),
  max: config.eventsMax,
  log,
  metrics,
  account: () => supervisor.account(),
  onRoom: () => void supervisor.connect('the API takes events again'),
});
const wire = new SessionWire({ supervisor, store, log });
const erased = new Erased({ store, token: config.token });
const outgoing = new Outgoing({ store, events, wire, limits: config.limits, erased, log, metrics });
const me = () => ({ id: credentials.creds.me?.id ?? '', lid: credentials.creds.me?.lid ?? '' });
const inbox = new Inbox({ store, events, outgoing, erased, log, metrics, me });
supervisor.use({ events, outgoing, inbox, erased });
const erasing = new Erasing({ store, erased, credentials, wire, outgoing, inbox, events, log });

const server = makeServer(routes({ supervisor, outgoing, inbox, events, erasing, metrics }), { token: config.token, log });
server.on('error', (error) => {
  log.error('The sidecar cannot listen', { host: config.host, port: config.port, error: said(error) });
  process.exit(1);
});
server.listen(config.port, config.host, () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  log.info('The sidecar listens', { host: config.host, port, store: store.kind, events_to: config.eventsUrl });
  supervisor.start();
});

let stopping = false;
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    log.info('The sidecar is being stopped', { signal });
    setTimeout(() => process.exit(0), STOP_WITHIN_MS + 2_000).unref();
    void supervisor
      .stop(STOP_WITHIN_MS)
      .catch((error) => log.warning('The sidecar did not stop in order', { error: said(error) }))
      .finally(() => {
        server.close();
        server.closeAllConnections();
        log.info('The sidecar has stopped');
        process.exit(0);
      });
  });
}
