/**
 * Every environment variable of the sidecar, checked at start; read only here.
 *
 * The environment flows in, a frozen configuration or a list of faults flows out; no fault
 * ever holds a secret. README.md ("Settings") is the table of them.
 */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ensureToken } from './token.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/**
 * @typedef {object} Config
 * @property {string} host
 * @property {number} port
 * @property {string} token
 * @property {string} eventsUrl
 * @property {string | null} databaseUrl
 * @property {string} dataDir
 * @property {[number, number, number] | null} waVersion
 * @property {string | null} waUrl
 * @property {import('./caps.js').Limits} limits
 * @property {number} eventsMax
 * @property {'logfmt' | 'json'} logFormat
 */

export class ConfigError extends Error {
  /** @param {string[]} faults */
  constructor(faults) {
    super(faults.join('; '));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/**
 * @param {Record<string, string | undefined>} environ
 * @returns {Config} Throws `ConfigError` with a line per fault.
 */
export function loadConfig(environ) {
  /** @type {string[]} */
  const faults = [];
  const text = (/** @type {string} */ name) => environ[name]?.trim() || null;
  const secret = (/** @type {string} */ name) => {
    const file = text(`${name}_FILE`);
    if (text(name) !== null && file !== null) faults.push(`${name} and ${name}_FILE are both set; keep one.`);
    if (text(name) !== null || file === null) return text(name);
    try {
      const content = readFileSync(resolve(ROOT, file), 'utf8').trim();
      if (!content) faults.push(`${name}_FILE: ${file} is empty.`);
      return content || null;
    } catch (error) {
      faults.push(`${name}_FILE: ${file} cannot be read (${/** @type {NodeJS.ErrnoException} */ (error).code}).`);
      return null;
    }
  };
  const whole = (/** @type {string} */ name, /** @type {number} */ usual, /** @type {number} */ least, /** @type {number} */ most) => {
    const given = text(name);
    if (given === null) return usual;
    const value = Number(given);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    faults.push(`${name} must be a whole number from ${least} to ${most}, not ${given.slice(0, 40)}.`);
    return usual;
  };

  const host = text('BAILEYS_HOST') ?? '127.0.0.1';
  const dataDir = resolve(ROOT, text('DATA_DIR') ?? 'var');
  const given = secret('BAILEYS_TOKEN');
  if (given !== null && given.length < 16) faults.push('BAILEYS_TOKEN must have 16 characters or more.');
  if (given === null && !isLoopback(host) && !environ['BAILEYS_TOKEN_FILE']) {
    faults.push(`BAILEYS_TOKEN must be set to listen on ${host}: anything but loopback needs a token that was given.`);
  }
  const databaseUrl = secret('DATABASE_URL');
  if (databaseUrl !== null && !/^postgres(ql)?:\/\//.test(databaseUrl)) {
    faults.push('DATABASE_URL must begin with postgresql://.');
  }
  const logFormat = text('LOG_FORMAT') ?? 'logfmt';
  if (logFormat !== 'logfmt' && logFormat !== 'json') faults.push('LOG_FORMAT must be logfmt or json.');
  const apiPort = whole('PORT', 8000, 1, 65535);
  const config = {
    host,
    port: whole('BAILEYS_PORT', 3001, 0, 65535),
    token: given ?? '',
    eventsUrl: eventsUrl(text('VOICEAGENT_URL') ?? `http://127.0.0.1:${apiPort}`, faults),
    databaseUrl,
    dataDir,
    waVersion: waVersion(text('WA_VERSION'), faults),
    waUrl: text('BAILEYS_WA_URL'),
    limits: {
      hourly: whole('BAILEYS_HOURLY_CAP', 200, 0, 1_000_000),
      daily: whole('BAILEYS_DAILY_CAP', 1000, 0, 1_000_000),
      newChatsDaily:
        text('BAILEYS_NEW_CHATS_DAILY_CAP') === 'none' ? -1 : whole('BAILEYS_NEW_CHATS_DAILY_CAP', 20, 0, 1_000_000),
      paceMs: pace(text('BAILEYS_PACE_MS'), faults),
    },
    eventsMax: whole('BAILEYS_EVENTS_MAX', 50_000, 10, 10_000_000),
    logFormat: /** @type {'logfmt' | 'json'} */ (logFormat),
  };
  if (faults.length === 0 && given === null) {
    try {
      config.token = ensureToken(resolve(dataDir, 'baileys_token'));
    } catch (error) {
      const why = /** @type {NodeJS.ErrnoException} */ (error).code ?? /** @type {Error} */ (error).message;
      faults.push(`DATA_DIR: ${resolve(dataDir, 'baileys_token')} can be neither read nor made (${why}); set BAILEYS_TOKEN.`);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.freeze(config);
}

/** @param {string} host */
function isLoopback(host) {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** @param {string} base @param {string[]} faults */
function eventsUrl(base, faults) {
  try {
    const url = new URL(base);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError();
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/webhook/whatsapp/baileys`.replace(/\/{2,}/g, '/');
    url.search = url.hash = '';
    return url.href;
  } catch {
    faults.push('VOICEAGENT_URL must be an http or https address.');
    return '';
  }
}

/** @param {string | null} given @param {string[]} faults @returns {[number, number, number] | null} */
function waVersion(given, faults) {
  if (given === null) return null;
  const parts = given.split(/[.,]/).map(Number);
  if (parts.length === 3 && parts.every((part) => Number.isInteger(part) && part >= 0)) {
    return /** @type {[number, number, number]} */ (parts);
  }
  faults.push('WA_VERSION must be three numbers, e.g. 2.3000.1043857760.');
  return null;
}

/** @param {string | null} given @param {string[]} faults @returns {[number, number]} */
function pace(given, faults) {
  if (given === null) return [400, 1500];
  const [least, most = least] = given.split('-').map(Number);
  if (Number.isInteger(least) && Number.isInteger(most) && 0 <= least && least <= most && most <= 60_000) return [least, most];
  faults.push('BAILEYS_PACE_MS must be a number or a range of milliseconds, e.g. 400-1500.');
  return [400, 1500];
}
