/**
 * Twilio Media Streams from the caller's end: the messages of one call. Pure.
 *
 * Frames, keys and marks flow in and come out as messages, numbered as Twilio numbers them;
 * the service's messages flow in and come out as what they ask for. What breaks the protocol
 * is refused with the reason, as Twilio refuses it.
 */

import { FRAME_BYTES } from './mulaw.js';

/** To be offered on the upgrade; it is the one that is echoed. */
export const SUBPROTOCOL = 'audio.twilio.com';
/** Before the ticket that admits the phone, offered as a subprotocol beside it. */
export const TICKET_PREFIX = 'ticket.';

const FRAME_MS = 20;
const ACCOUNT_SID = `AC${'0'.repeat(32)}`;

/**
 * @typedef {{event: 'media', ulaw: Uint8Array}
 *   | {event: 'mark', name: string}
 *   | {event: 'clear'}
 *   | {event: 'refused', why: string}} Asked
 */

export class PhoneStream {
  /**
   * @param {string} callSid
   * @param {string} streamSid
   */
  constructor(callSid, streamSid) {
    this.callSid = callSid;
    this.streamSid = streamSid;
    this._sequence = 0;
    this._frames = 0;
  }

  /** @returns {string[]} what is sent first, in this order */
  opening() {
    const start = {
      accountSid: ACCOUNT_SID,
      streamSid: this.streamSid,
      callSid: this.callSid,
      tracks: ['inbound'],
      mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      customParameters: { call_sid: this.callSid, simulated: '1' },
    };
    const connected = { event: 'connected', protocol: 'Call', version: '1.0.0' };
    return [JSON.stringify(connected), this._message('start', { start })];
  }

  /** @param {Uint8Array} ulaw the caller's next 20 ms */
  media(ulaw) {
    if (ulaw.length !== FRAME_BYTES) throw new RangeError(`a frame of ${ulaw.length} bytes`);
    const timestamp = String(this._frames * FRAME_MS);
    this._frames += 1;
    const payload = btoa(String.fromCharCode(...ulaw));
    const chunk = String(this._frames);
    return this._message('media', { media: { track: 'inbound', chunk, timestamp, payload } });
  }

  /** @param {string} digit of `0123456789*#` */
  dtmf(digit) {
    return this._message('dtmf', { dtmf: { track: 'inbound_track', digit } });
  }

  /** @param {string} name of a mark that was heard, or cleared */
  mark(name) {
    return this._message('mark', { mark: { name } });
  }

  /** The caller hangs up: the last message. */
  stop() {
    return this._message('stop', { stop: { accountSid: ACCOUNT_SID, callSid: this.callSid } });
  }

  /**
   * @param {unknown} text one frame of the socket
   * @returns {Asked}
   */
  receive(text) {
    if (typeof text !== 'string') return refused('not a text');
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return refused('not JSON');
    }
    const event = message?.event;
    if (!['media', 'mark', 'clear'].includes(event)) return refused(`${event} is not for a phone`);
    if (message.streamSid !== this.streamSid) return refused(`${event} of another stream`);
    if (event === 'clear') return { event };
    if (event === 'mark') {
      const name = message.mark?.name;
      return typeof name === 'string' ? { event, name } : refused('a mark without a name');
    }
    const ulaw = bytesOf(message.media?.payload);
    return ulaw === null ? refused('media that is not base64') : { event, ulaw };
  }

  _message(event, body) {
    this._sequence += 1;
    const sequenceNumber = String(this._sequence);
    return JSON.stringify({ event, sequenceNumber, ...body, streamSid: this.streamSid });
  }
}

const refused = (why) => ({ event: 'refused', why });

function bytesOf(payload) {
  if (typeof payload !== 'string') return null;
  try {
    return Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
