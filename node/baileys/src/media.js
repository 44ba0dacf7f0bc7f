/**
 * Files of inbound messages, fetched from WhatsApp when they are asked for.
 *
 * A message flows in; its file, decrypted and checked against its hash, flows out. Only
 * WhatsApp's own host is asked: a message names a host too, and its sender may name any.
 */

import { createHash, timingSafeEqual } from 'node:crypto';

import { DEF_MEDIA_HOST, downloadContentFromMessage, getContentType, normalizeMessageContent } from 'baileys';

import { said } from './log.js';
import { Problem, notNow } from './problems.js';
import { MAX_FILE_BYTES } from './requests.js';

/** @typedef {import('baileys').WAMessage} WAMessage */

const WITHIN_MS = 60_000;
const MAX_AT_ONCE = 4;
const GONE = new Set([404, 410]);
const KINDS = /** @type {Record<string, string>} */ ({
  imageMessage: 'image',
  videoMessage: 'video',
  ptvMessage: 'ptv',
  audioMessage: 'audio',
  documentMessage: 'document',
  stickerMessage: 'sticker',
});

let underWay = 0;

/**
 * @param {WAMessage} message
 * @returns {Promise<{data: Buffer, mimeType: string, fileName: string | null}>} Throws `Problem`.
 */
export async function download(message) {
  const content = /** @type {any} */ (normalizeMessageContent(message.message ?? undefined));
  const type = getContentType(content) ?? '';
  const kind = KINDS[type];
  const file = content?.[type];
  if (kind === undefined || !file?.mediaKey?.length) throw new Problem(404, 'not_found', 'this message has no file');
  if (Number(file.fileLength ?? 0) > MAX_FILE_BYTES) throw tooLarge();
  if (!/^\/[^@\\]*$/.test(file.directPath ?? '')) throw new Problem(502, 'media_failed', 'the message does not say where its file is');
  if (underWay >= MAX_AT_ONCE) throw notNow('busy', 'too many files are being fetched', 2);
  underWay += 1;
  try {
    const data = await fetched(file, kind);
    const hash = createHash('sha256').update(data).digest();
    if (file.fileSha256?.length !== 32 || !timingSafeEqual(hash, file.fileSha256)) {
      throw new Problem(502, 'media_failed', 'the file is not the one that was sent');
    }
    const mimeType = /^[\w.+-]+\/[\w.+-]+(; ?[\w=.+-]+)?$/.test(file.mimetype ?? '') ? file.mimetype : 'application/octet-stream';
    return { data, mimeType, fileName: file.fileName || null };
  } finally {
    underWay -= 1;
  }
}

/** @param {any} file @param {string} kind */
async function fetched(file, kind) {
  const from = { mediaKey: file.mediaKey, directPath: file.directPath };
  /** @type {import('node:stream').Transform | undefined} */
  let stream;
  const timer = setTimeout(() => stream?.destroy(new Error('WhatsApp did not send the file in time')), WITHIN_MS);
  try {
    stream = await downloadContentFromMessage(from, /** @type {any} */ (kind), { host: DEF_MEDIA_HOST });
    const chunks = [];
    let bytes = 0;
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (bytes > MAX_FILE_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof Problem) throw error;
    const status = /** @type {any} */ (error)?.output?.statusCode ?? 0;
    if (GONE.has(status)) throw new Problem(410, 'gone', 'WhatsApp no longer has this file');
    throw new Problem(502, 'media_failed', `the file could not be fetched (${said(error).slice(0, 200)})`);
  } finally {
    clearTimeout(timer);
    stream?.destroy();
  }
}

const tooLarge = () => new Problem(413, 'too_large', `files above ${MAX_FILE_BYTES} bytes are not fetched`);
