/**
 * What a caller may ask to be sent, or to be erased, checked before anything happens. Pure.
 *
 * The parsed body of a `POST` flows in; a request that cannot be wrong flows out, or a
 * `Problem` that names the field.
 */

import { createHash } from 'node:crypto';

import { Problem, badMessage } from './problems.js';

export const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_TEXT_CHARS = 10_000;
const MAX_CAPTION_CHARS = 1_024;
const CONTENTS = ['text', 'image', 'document', 'audio', 'location', 'reaction'];
const MAX_NAMED = 10_000;
const FIELDS = new Set(['id', 'to', 'wait_ms', 'quoted', ...CONTENTS]);

/**
 * @typedef {{jid: string, phone: string | null}} Recipient
 * @typedef {{data: Buffer, mimeType: string}} File
 * @typedef {{kind: 'text', text: string}
 *   | {kind: 'image', file: File, caption: string | null}
 *   | {kind: 'document', file: File, fileName: string, caption: string | null}
 *   | {kind: 'audio', file: File, voiceNote: boolean, seconds: number | null}
 *   | {kind: 'location', latitude: number, longitude: number, name: string | null, address: string | null}
 *   | {kind: 'reaction', messageId: string, emoji: string}} Content
 * @typedef {{messageId: string, text: string | null, fromMe: boolean}} Quoted
 *
 * @typedef {{jids: string[], ids: string[], beforeMs: number}} ErasureRequest
 *
 * @typedef {object} SendRequest
 * @property {string} id
 * @property {Recipient} to
 * @property {number} waitMs
 * @property {Content} content
 * @property {Quoted | null} quoted
 * @property {string} fingerprint equal for equal bodies
 */

/** @param {unknown} body @returns {SendRequest} */
export function sendRequest(body) {
  const given = fields(body, 'the body');
  const stranger = Object.keys(given).find((name) => !FIELDS.has(name));
  if (stranger !== undefined) throw badMessage(`${stranger.slice(0, 40)} is no field of a message`);
  if (typeof given.id !== 'string' || !/^[\w:-]{1,128}$/.test(given.id)) {
    throw badMessage('id must be 1 to 128 of A-Z a-z 0-9 _ - :');
  }
  const waitMs = given.wait_ms ?? 3000;
  if (!Number.isInteger(waitMs) || waitMs < 0 || waitMs > 3000) throw badMessage('wait_ms must be 0 to 3000');
  const named = CONTENTS.filter((name) => given[name] !== undefined && given[name] !== null);
  if (named.length !== 1) throw badMessage(`exactly one of ${CONTENTS.join(', ')} must be given`);
  const quoted = given.quoted === undefined || given.quoted === null ? null : quotation(given.quoted);
  if (quoted !== null && named[0] === 'reaction') throw badMessage('a reaction quotes nothing');
  return {
    id: given.id,
    to: recipient(given.to),
    waitMs,
    content: content(named[0], given[named[0]]),
    quoted,
    fingerprint: fingerprint({ ...given, wait_ms: null }),
  };
}

/** @param {unknown} body @returns {ErasureRequest} */
export function erasureRequest(body) {
  const given = fields(body, 'the body');
  const stranger = Object.keys(given).find((name) => !['phones', 'lids', 'message_ids', 'before'].includes(name));
  if (stranger !== undefined) throw badMessage(`${stranger.slice(0, 40)} is no field of an erasure`);
  const phones = list(given.phones, 'phones', /^\+[1-9]\d{6,14}$/);
  const lids = list(given.lids, 'lids', /^[\w.:-]{1,100}@lid$/);
  const ids = list(given.message_ids, 'message_ids', /^[\w:-]{1,128}$/);
  const beforeMs = typeof given.before === 'string' ? Date.parse(given.before) : NaN;
  if (Number.isNaN(beforeMs)) throw badMessage('before must be a time such as 2026-11-26T16:57:01Z');
  return { jids: [...phones.map((phone) => `${phone.slice(1)}@s.whatsapp.net`), ...lids], ids, beforeMs };
}

/** @param {unknown} to @returns {Recipient} */
export function recipient(to) {
  const text = typeof to === 'string' ? to.trim() : '';
  const number = /^\+([1-9]\d{6,14})$/.exec(text) ?? /^([1-9]\d{6,14})@s\.whatsapp\.net$/.exec(text);
  if (number !== null) return { jid: `${number[1]}@s.whatsapp.net`, phone: `+${number[1]}` };
  if (/^\d{5,20}@lid$/.test(text)) return { jid: text, phone: null };
  throw new Problem(422, 'bad_number', 'to must be a number such as +972501234567 or the WhatsApp id of a person');
}

/** @param {string} kind @param {unknown} value @returns {Content} */
function content(kind, value) {
  if (kind === 'text') return { kind, text: words(value, 'text', 1, MAX_TEXT_CHARS) };
  const given = fields(value, kind);
  switch (kind) {
    case 'image':
      return { kind, file: file(given, kind, /^image\/[\w.+-]+$/), caption: caption(given, kind) };
    case 'document':
      return {
        kind,
        file: file(given, kind, /^[\w.+-]+\/[\w.+-]+$/),
        fileName: words(given.file_name, 'document.file_name', 1, 200),
        caption: caption(given, kind),
      };
    case 'audio': {
      const seconds = given.seconds ?? null;
      if (seconds !== null && !(Number.isInteger(seconds) && seconds >= 0 && seconds <= 86_400)) {
        throw badMessage('audio.seconds must be a whole number');
      }
      return { kind, file: file(given, kind, /^audio\/[\w.+-]+(; ?codecs=[\w.+-]+)?$/), voiceNote: given.voice_note === true, seconds };
    }
    case 'location':
      return {
        kind,
        latitude: degrees(given.latitude, 'location.latitude', 90),
        longitude: degrees(given.longitude, 'location.longitude', 180),
        name: optional(given.name, 'location.name', 200),
        address: optional(given.address, 'location.address', 400),
      };
    default:
      return {
        kind: 'reaction',
        messageId: messageId(given.message_id, 'reaction.message_id'),
        emoji: words(given.emoji, 'reaction.emoji', 0, 32),
      };
  }
}

/** @param {unknown} value @returns {Quoted} */
function quotation(value) {
  const given = fields(value, 'quoted');
  return {
    messageId: messageId(given.message_id, 'quoted.message_id'),
    text: optional(given.text, 'quoted.text', MAX_TEXT_CHARS),
    fromMe: given.from_me === true,
  };
}

/** @param {Record<string, any>} given @param {string} kind @param {RegExp} types @returns {File} */
function file(given, kind, types) {
  if (typeof given.mime_type !== 'string' || !types.test(given.mime_type)) throw badMessage(`${kind}.mime_type is not one of its kind`);
  if (typeof given.data !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(given.data)) {
    throw badMessage(`${kind}.data must be base64`);
  }
  const data = Buffer.from(given.data, 'base64');
  if (data.length > MAX_FILE_BYTES) throw new Problem(413, 'too_large', `a file may have ${MAX_FILE_BYTES} bytes`);
  return { data, mimeType: given.mime_type };
}

/** @param {Record<string, any>} given @param {string} kind */
const caption = (given, kind) => optional(given.caption, `${kind}.caption`, MAX_CAPTION_CHARS);

/** @param {unknown} value @param {string} name */
function messageId(value, name) {
  if (typeof value === 'string' && /^[\w.:-]{1,128}$/.test(value)) return value;
  throw badMessage(`${name} must be the id of a message`);
}

/** @param {unknown} value @param {string} name @param {number} most */
function optional(value, name, most) {
  return value === undefined || value === null ? null : words(value, name, 0, most);
}

/** @param {unknown} value @param {string} name @param {number} least @param {number} most */
function words(value, name, least, most) {
  if (typeof value === 'string' && value.length >= least && value.length <= most && value.trim().length >= least) return value;
  throw badMessage(`${name} must be text of ${least} to ${most} characters`);
}

/** @param {unknown} value @param {string} name @param {number} most */
function degrees(value, name, most) {
  if (typeof value === 'number' && Math.abs(value) <= most) return value;
  throw badMessage(`${name} must be a number from -${most} to ${most}`);
}

/** @param {unknown} values @param {string} name @param {RegExp} form @returns {string[]} */
function list(values, name, form) {
  if (values === undefined) return [];
  const fine = Array.isArray(values) && values.length <= MAX_NAMED && values.every((one) => typeof one === 'string' && form.test(one));
  if (!fine) throw badMessage(`${name} must be a list of at most ${MAX_NAMED}, each in its form`);
  return values;
}

/** @param {unknown} value @param {string} name @returns {Record<string, any>} */
function fields(value, name) {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return /** @type {any} */ (value);
  throw badMessage(`${name} must be an object`);
}

/** The same for the same fields, in whatever order. @param {Record<string, any>} body */
function fingerprint(body) {
  const sorted = (/** @type {any} */ value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([, one]) => one !== null && one !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : value;
  let text;
  try {
    text = JSON.stringify(body, (_, value) => sorted(value));
  } catch (error) {
    // The one thing that parsed JSON cannot be written as: what has more levels than the stack.
    if (error instanceof RangeError) throw badMessage('the body is nested too deeply');
    throw error;
  }
  return createHash('sha256').update(text).digest('hex');
}
