/**
 * A request's content in the library's words, as the bytes that are recorded and sent.
 *
 * Files are encrypted and uploaded to WhatsApp here; no address in a text is ever fetched (no
 * link previews), and no picture is decoded.
 */

import { generateWAMessage, proto } from 'baileys';

import { Problem } from './problems.js';

/** @typedef {import('./requests.js').SendRequest} SendRequest */
/** @typedef {import('baileys').WAMessage} WAMessage */

/**
 * @param {string} jid
 * @param {string} messageId
 * @param {SendRequest} request
 * @param {object} session
 * @param {string} session.me the own WhatsApp id
 * @param {any} session.upload
 * @param {any} session.logger
 * @param {(messageId: string) => Promise<WAMessage | null>} session.find a message that was sent or received before
 * @returns {Promise<Uint8Array>}
 */
export async function encoded(jid, messageId, request, { me, upload, logger, find }) {
  const quoted = request.quoted === null ? undefined : await quotedMessage(jid, request.quoted, find);
  const content = await contentOf(jid, request.content, find);
  const options = { userJid: me, messageId, quoted, upload, logger };
  const message = await generateWAMessage(jid, /** @type {any} */ (content), /** @type {any} */ (options));
  return proto.Message.encode(/** @type {any} */ (message.message)).finish();
}

/** @param {string} jid @param {import('./requests.js').Content} content
 * @param {(messageId: string) => Promise<WAMessage | null>} find */
async function contentOf(jid, content, find) {
  switch (content.kind) {
    case 'text':
      return { text: content.text, linkPreview: null };
    case 'image':
      // An empty thumbnail: making one would need a decoder.
      return {
        image: content.file.data,
        mimetype: content.file.mimeType,
        caption: content.caption ?? undefined,
        jpegThumbnail: Buffer.alloc(0),
      };
    case 'document':
      return {
        document: content.file.data,
        mimetype: content.file.mimeType,
        fileName: content.fileName,
        caption: content.caption ?? undefined,
      };
    case 'audio':
      return {
        audio: content.file.data,
        mimetype: content.file.mimeType,
        ptt: content.voiceNote,
        seconds: content.seconds ?? undefined,
        waveform: Buffer.alloc(64),
      };
    case 'location':
      return {
        location: {
          degreesLatitude: content.latitude,
          degreesLongitude: content.longitude,
          name: content.name ?? undefined,
          address: content.address ?? undefined,
        },
      };
    case 'reaction': {
      const fromMe = (await find(content.messageId))?.key.fromMe === true;
      return { react: { text: content.emoji, key: { remoteJid: jid, fromMe, id: content.messageId } } };
    }
  }
}

/**
 * @param {string} jid
 * @param {import('./requests.js').Quoted} quoted
 * @param {(messageId: string) => Promise<WAMessage | null>} find
 * @returns {Promise<WAMessage>}
 */
async function quotedMessage(jid, { messageId, text, fromMe }, find) {
  const kept = await find(messageId);
  if (kept !== null) return kept;
  if (text === null) {
    throw new Problem(422, 'unknown_quoted', 'the quoted message is not kept here, and no text of it was given');
  }
  return { key: { remoteJid: jid, fromMe, id: messageId }, message: { conversation: text } };
}
