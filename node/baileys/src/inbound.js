/**
 * What a message of the library says, in the words of our events. Pure.
 *
 * A decrypted message flows in; what happened (received, changed, could not be read) flows
 * out, or `null` for what is of no interest: groups, channels, status posts, protocol traffic.
 */

import { getContentType, jidNormalizedUser, normalizeMessageContent, proto } from 'baileys';

/** @typedef {import('baileys').WAMessage} WAMessage */
/** @typedef {import('baileys').WAMessageKey} WAMessageKey */
/** @typedef {{jid: string, lid: string | null, phone: string | null}} Chat */
/** @typedef {{type: 'message.received' | 'message.changed' | 'message.undecrypted', messageId: string,
 *   fromMe: boolean, chat: Chat, data: Record<string, any>}} Account */

const PERSON = /@(?:s\.whatsapp\.net|lid)$/;
const MAX_TEXT_CHARS = 65_536;
/** The stub that stands for a message that could not be decrypted. */
export const CIPHERTEXT = proto.WebMessageInfo.StubType.CIPHERTEXT;
const { REVOKE, MESSAGE_EDIT } = proto.Message.ProtocolMessage.Type;

/** Whether the library should not even look at that chat. @param {string} jid */
export const isIgnored = (jid) => /@(?:g\.us|broadcast|newsletter)$/.test(jid);

/** The other person of a chat, by both ids. @param {WAMessageKey} key @returns {Chat | null} */
export function chatOf(key) {
  if (!key.remoteJid || !PERSON.test(key.remoteJid.replace(/:\d+@/, '@'))) return null;
  const jid = jidNormalizedUser(key.remoteJid);
  const other = key.remoteJidAlt ? jidNormalizedUser(key.remoteJidAlt) : '';
  const lid = [jid, other].find((one) => one.endsWith('@lid')) ?? null;
  const number = [jid, other].find((one) => one.endsWith('@s.whatsapp.net'));
  return { jid, lid, phone: number === undefined ? null : `+${number.split('@')[0]}` };
}

/**
 * @param {WAMessage} message
 * @param {boolean} whileAway
 * @returns {Account | null}
 */
export function account(message, whileAway) {
  const { key } = message;
  const chat = chatOf(key);
  if (chat === null || !key.id) return null;
  const common = { messageId: key.id, fromMe: key.fromMe === true, chat };
  const sent_at = instant(message.messageTimestamp);
  if (message.messageStubType === CIPHERTEXT) {
    const data = { message_id: key.id, chat, sent_at };
    return { ...common, type: 'message.undecrypted', data };
  }
  const content = normalizeMessageContent(message.message ?? undefined);
  const type = getContentType(content);
  if (!content || !type) return null;
  const protocol = content.protocolMessage;
  if (protocol) {
    const change = protocol.type === REVOKE ? 'deleted' : protocol.type === MESSAGE_EDIT ? 'edited' : null;
    if (change === null || !protocol.key?.id) return null;
    const text = change === 'edited' ? textOf(normalizeMessageContent(protocol.editedMessage ?? undefined)) : null;
    const data = { message_id: protocol.key.id, chat, from_me: common.fromMe, change, text, at: sent_at };
    return { ...common, type: 'message.changed', data };
  }
  const described = describe(content, type, key.id);
  if (described === null) return null;
  const data = {
    message_id: key.id,
    chat,
    from_me: common.fromMe,
    name: common.fromMe ? null : (message.pushName ?? null),
    sent_at,
    while_away: whileAway,
    media: null,
    location: null,
    reaction: null,
    text: null,
    reply_to: null,
    ...described,
  };
  return { ...common, type: 'message.received', data };
}

/** What it says; whatever its sender put into it, it is told at least that it came.
 * @param {proto.IMessage} content @param {string} type @param {string} id */
function describe(content, type, id) {
  try {
    const kind = kindOf(content, type, id);
    return kind === null ? null : { ...kind, text: textOf(content), reply_to: replyOf(content, type) };
  } catch {
    return { kind: 'unsupported' };
  }
}

/** @param {proto.IMessage} content @param {string} type @param {string} id */
function kindOf(content, type, id) {
  switch (type) {
    case 'conversation':
    case 'extendedTextMessage':
    case 'buttonsResponseMessage':
    case 'listResponseMessage':
    case 'templateButtonReplyMessage':
      return { kind: 'text' };
    case 'imageMessage':
    case 'videoMessage':
    case 'audioMessage':
    case 'documentMessage':
    case 'stickerMessage':
    case 'ptvMessage':
      return { kind: type === 'ptvMessage' ? 'video' : type.slice(0, -'Message'.length), media: media(/** @type {any} */ (content)[type], id) };
    case 'locationMessage':
    case 'liveLocationMessage': {
      const place = /** @type {any} */ (content)[type];
      const location = {
        latitude: place.degreesLatitude ?? null,
        longitude: place.degreesLongitude ?? null,
        name: place.name || null,
        address: place.address || null,
      };
      return { kind: 'location', location };
    }
    case 'contactMessage':
    case 'contactsArrayMessage':
      return { kind: 'contact' };
    case 'reactionMessage': {
      const reaction = content.reactionMessage;
      if (!reaction?.key?.id) return null;
      return { kind: 'reaction', reaction: { message_id: reaction.key.id, emoji: reaction.text ?? '' } };
    }
    case 'senderKeyDistributionMessage':
    case 'deviceSentMessage':
    case 'encReactionMessage':
      return null;
    default:
      return { kind: 'unsupported' };
  }
}

/** @param {any} file @param {string} id */
function media(file, id) {
  return {
    id,
    mime_type: file.mimetype || null,
    size_bytes: file.fileLength == null ? null : Number(file.fileLength),
    file_name: file.fileName || null,
    sha256: file.fileSha256?.length ? Buffer.from(file.fileSha256).toString('hex') : null,
    seconds: file.seconds ?? null,
    voice_note: file.ptt === true,
    width: file.width ?? null,
    height: file.height ?? null,
  };
}

/** @param {proto.IMessage | undefined} content @returns {string | null} */
export function textOf(content) {
  if (!content) return null;
  const text =
    content.conversation ||
    content.extendedTextMessage?.text ||
    content.imageMessage?.caption ||
    content.videoMessage?.caption ||
    content.documentMessage?.caption ||
    content.buttonsResponseMessage?.selectedDisplayText ||
    content.listResponseMessage?.title ||
    content.templateButtonReplyMessage?.selectedDisplayText ||
    content.contactMessage?.displayName ||
    content.contactsArrayMessage?.displayName;
  if (!text) return null;
  // Half a sign at the end would be no Unicode, and the API would take no such event.
  return text.slice(0, MAX_TEXT_CHARS).replace(/[\ud800-\udbff]$/, '');
}

/** @param {proto.IMessage} content @param {string} type */
function replyOf(content, type) {
  const context = /** @type {any} */ (content)[type]?.contextInfo;
  if (!context?.stanzaId) return null;
  return { message_id: context.stanzaId, text: textOf(normalizeMessageContent(context.quotedMessage ?? undefined)) };
}

/** @param {unknown} seconds a number or a Long */
export function instant(seconds) {
  const value = Number(seconds ?? 0);
  return value > 0 && value < 1e11 ? new Date(value * 1000).toISOString() : null;
}
