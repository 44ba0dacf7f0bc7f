/**
 * What the sidecar says about itself: one line per record, logfmt or JSON, on standard output.
 *
 * Words and fields flow in; masked lines flow out. Numbers, WhatsApp ids and anything that
 * looks like key material is hidden here, whoever says it; objects of the WhatsApp library
 * are never printed, since they hold keys.
 */

/** @typedef {Record<string, string | number | boolean | null | undefined>} Fields */
/** @typedef {'debug' | 'info' | 'warning' | 'error'} Level */
/** @typedef {{debug(msg: string, fields?: Fields): void, info(msg: string, fields?: Fields): void,
 *   warning(msg: string, fields?: Fields): void, error(msg: string, fields?: Fields): void}} Log */

const MAX_VALUE_CHARS = 2_000;
const JID = /(\d{5,20})(?=(?::\d{1,3})?@(?:s\.whatsapp\.net|lid|c\.us|hosted))/g;
const PHONE = /(\+|%2[Bb])\d(?:[-. ()]{0,2}\d){6,19}/g;
// Base64 or hexadecimal of 24 bytes and more: no name in a log is that long.
const KEY_MATERIAL = /(?<![\w+/])(?:[0-9a-fA-F]{48,}|[\w+/-]{40,}={0,2})(?![\w+/])/g;
const URL_PASSWORD = /(:\/\/[^/\s:@]*:)[^/\s@]+@/g;

/** The digits with their middle hidden: `972501234567` becomes `97250•••4567`.
 * @param {string} digits */
export function maskDigits(digits) {
  const shown = Math.max(0, Math.min(5, digits.length - 7));
  return `${digits.slice(0, shown)}•••${digits.slice(-4)}`;
}

/** @param {string} word */
function looksLikeKey(word) {
  const path = word.startsWith('/');
  return !path && /[0-9]/.test(word) && (/^[0-9a-fA-F]+$/.test(word) || (/[A-Z]/.test(word) && /[a-z]/.test(word)));
}

/** @param {string} text */
export function mask(text) {
  return text
    .replace(URL_PASSWORD, '$1•••@')
    .replace(KEY_MATERIAL, (word) => (looksLikeKey(word) ? '•••' : word))
    .replace(JID, (digits) => maskDigits(digits))
    .replace(PHONE, (number) => `+${maskDigits(number.replace(/\D/g, ''))}`);
}

/** @param {string | number | boolean | null} value */
function logfmt(value) {
  if (typeof value !== 'string') return String(value);
  const text = mask(value).slice(0, MAX_VALUE_CHARS);
  if (/^[^\s"=\\\p{C}]+$/u.test(text)) return text;
  // Line breaks, control and bidirectional signs could forge or hide lines.
  const escaped = text
    .replace(/\\/g, '\\\\')
    .replace(/"/g, '\\"')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')
    .replace(/\p{C}/gu, (sign) => `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

/**
 * @param {string} format `logfmt` or `json`
 * @param {(line: string) => void} [write]
 * @returns {Log}
 */
export function makeLog(format, write = (line) => process.stdout.write(line)) {
  /** @param {Level} level @param {string} msg @param {Fields} [fields] */
  const say = (level, msg, fields = {}) => {
    /** @type {Record<string, string | number | boolean | null>} */
    const record = { time: new Date().toISOString(), level, logger: 'baileys', msg };
    for (const [name, value] of Object.entries(fields)) {
      if (value !== undefined && value !== null) record[name] = value;
    }
    const line =
      format === 'json'
        ? JSON.stringify(record, (_, value) => (typeof value === 'string' ? mask(value).slice(0, MAX_VALUE_CHARS) : value))
        : Object.entries(record)
            .map(([name, value]) => `${name}=${logfmt(value)}`)
            .join(' ');
    write(`${line}\n`);
  };
  return {
    debug: () => {},
    info: (msg, fields) => say('info', msg, fields),
    warning: (msg, fields) => say('warning', msg, fields),
    error: (msg, fields) => say('error', msg, fields),
  };
}

/** What an error says, in one line. @param {unknown} error */
export function said(error) {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return `${error.name}: ${error.message || error.cause || 'no words'}${code}`.replace(/\s+/g, ' ');
}

/** Where an error was made, e.g. `session.js:31`. @param {unknown} error */
export function whence(error) {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return /([^/\\(]+\.[cm]?js:\d+):\d+\)?$/m.exec(stack)?.[1] ?? 'unknown';
}

/** The code of a closing that is no fault: a restart (515), or a server that makes way (503). @param {unknown} what */
function ordinaryEnd(what) {
  const node = typeof what === 'object' && what !== null ? /** @type {any} */ (what).fullErrorNode : undefined;
  const code = node?.attrs?.code;
  return code === '515' || code === '503' ? code : null;
}

/**
 * The library's logger: its warnings and errors come through as words, without their objects.
 * It logs whole stanzas, handshakes and sessions; none of that may reach a line.
 * @param {Log} log
 */
export function libraryLogger(log) {
  /** @param {'warning' | 'error'} level @returns {(what: unknown, msg?: string) => void} */
  const through = (level) => (what, msg) => {
    const object = typeof what === 'object' && what !== null ? /** @type {any} */ (what) : {};
    const error = [object.err, object.error, object.e].find((one) => one instanceof Error);
    log[level](msg ?? (typeof what === 'string' ? what : 'a word of the library'), {
      part: 'library',
      error: error === undefined ? undefined : said(error),
    });
  };
  const nothing = () => {};
  const logger = {
    level: 'warn',
    child: () => logger,
    trace: nothing,
    debug: nothing,
    info: nothing,
    // Its warnings are about the ordinary (a retry, an unknown notification) and are many.
    warn: nothing,
    error: (/** @type {unknown} */ what, /** @type {string | undefined} */ msg) => {
      const code = ordinaryEnd(what);
      if (code === null) return through('warning')(what, msg);
      log.info('WhatsApp closes the connection, as it now and then does', { part: 'library', code });
    },
  };
  return logger;
}
