/**
 * One call from this browser: its microphone, its ear and its socket, for as long as it lasts.
 *
 * Sound flows between the audio thread and the media socket; what happens is told to whoever
 * placed the call. It decides nothing about turns and knows nothing of the page.
 */

import { PhoneStream, SUBPROTOCOL, TICKET_PREFIX } from './media-stream.js';

const PATH = '/ws/twilio-media';
/** Several processes may serve this address, and a ticket is known to one of them only. */
const TRIES = 16;
/** What waits to be sent longer than some seconds is not worth sending: frames are dropped. */
const MAX_WAITING_BYTES = 65536;
const LATENCY_EVERY_MS = 1000;
const KEY_MS = 120;
const KEY_LOUDNESS = 0.06;
const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477];
const KEYS = '123456789*0#';

/** Why a call did not come about, by the name of the words for it. */
export class CallFault extends Error {
  /** @param {string} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * @typedef {{call_sid: string, stream_sid: string, ticket: string}} Invitation
 *
 * @typedef {object} Listener
 * @property {(state: 'asking' | 'connecting' | 'live') => void} state
 * @property {(callSid: string) => void} began
 * @property {(who: 'caller' | 'agent', rms: number) => void} level
 * @property {() => void} microphoneLost
 * @property {(by: 'caller' | 'agent' | 'lost') => void} ended
 */

export class BrowserCall {
  /**
   * @param {() => Promise<Invitation>} invite asks the service for a call; throws `CallFault`
   * @param {Listener} listener
   */
  constructor(invite, listener) {
    this._invite = invite;
    this._tell = listener;
    this._ended = false;
    this._byCaller = false;
  }

  /**
   * Until the line is open. Throws `CallFault`.
   *
   * @param {boolean} withMicrophone false: only to listen, and to use the keys
   */
  async place(withMicrophone) {
    // Made before anything is waited for: a browser lets sound begin only by a click.
    this._context = new AudioContext({ latencyHint: 'interactive' });
    try {
      if (withMicrophone) {
        this._tell.state('asking');
        this._voice = await openMicrophone();
      }
      if (!this._ended) this._tell.state('connecting');
      await this._openAudio();
      await this._openSocket();
    } catch (error) {
      this._close();
      throw error instanceof CallFault ? error : new CallFault('failed');
    }
    // Hung up meanwhile: what came up after that goes as well.
    if (this._ended) this._close();
    else this._tell.state('live');
  }

  /** @param {boolean} muted */
  mute(muted) {
    this._microphone?.port.postMessage({ muted });
  }

  /** @param {string} digit */
  press(digit) {
    if (this._socket?.readyState !== WebSocket.OPEN) return;
    this._socket.send(this._stream.dtmf(digit));
    this._sound(digit);
  }

  hangUp() {
    this._byCaller = true;
    if (this._socket?.readyState === WebSocket.OPEN) this._socket.send(this._stream.stop());
    this._end('caller');
  }

  async _openAudio() {
    const context = this._context;
    await context.resume();
    const modules = ['./microphone-worklet.js', './player-worklet.js'];
    await Promise.all(
      modules.map((name) => context.audioWorklet.addModule(new URL(name, import.meta.url))),
    );
    this._player = new AudioWorkletNode(context, 'player', {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { latencyS: latencyOf(context) },
    });
    this._player.port.onmessage = ({ data }) => this._played(data);
    this._player.connect(context.destination);
    this._microphone = new AudioWorkletNode(context, 'microphone', {
      channelCount: 1,
      channelCountMode: 'explicit',
      outputChannelCount: [1],
    });
    this._microphone.port.onmessage = ({ data }) => this._spoken(data);
    // A node that leads nowhere may not be run; this one is silent.
    this._microphone.connect(context.destination);
    if (this._voice !== undefined) {
      context.createMediaStreamSource(this._voice).connect(this._microphone);
      const [track] = this._voice.getAudioTracks();
      track.onended = () => this._tell.microphoneLost();
    }
    this._latency = setInterval(() => {
      this._player.port.postMessage({ event: 'latency', latencyS: latencyOf(context) });
    }, LATENCY_EVERY_MS);
  }

  async _openSocket() {
    for (let left = TRIES; left > 0 && !this._byCaller; left -= 1) {
      const invitation = await this._invite();
      const socket = await opened(invitation.ticket);
      if (socket === null) continue;
      if (this._byCaller) return void socket.close(1000);
      this._tell.began(invitation.call_sid);
      this._take(socket, new PhoneStream(invitation.call_sid, invitation.stream_sid));
      return;
    }
    if (!this._byCaller) throw new CallFault('unreachable');
  }

  _take(socket, stream) {
    this._socket = socket;
    this._stream = stream;
    socket.onmessage = ({ data }) => {
      const asked = stream.receive(data);
      if (asked.event === 'refused') console.warn('not a message for a phone:', asked.why);
      else this._player.port.postMessage(asked);
    };
    socket.onclose = ({ code }) => this._end(code === 1000 ? 'agent' : 'lost');
    for (const message of stream.opening()) socket.send(message);
  }

  _spoken({ ulaw, level }) {
    if (this._ended || this._socket?.readyState !== WebSocket.OPEN) return;
    this._tell.level('caller', level);
    if (this._socket.bufferedAmount < MAX_WAITING_BYTES) this._socket.send(this._stream.media(ulaw));
  }

  _played(told) {
    if ('level' in told) this._tell.level('agent', told.level);
    if (this._socket?.readyState !== WebSocket.OPEN) return;
    for (const name of told.marks ?? []) this._socket.send(this._stream.mark(name));
    if (told.overflow) this._end('lost');
  }

  /** What the caller hears of a key; the service is told by a message. */
  _sound(digit) {
    const context = this._context;
    const at = KEYS.indexOf(digit);
    const until = context.currentTime + KEY_MS / 1000;
    for (const hertz of [ROWS_HZ[Math.floor(at / 3)], COLUMNS_HZ[at % 3]]) {
      const oscillator = new OscillatorNode(context, { frequency: hertz });
      oscillator.connect(new GainNode(context, { gain: KEY_LOUDNESS })).connect(context.destination);
      oscillator.start();
      oscillator.stop(until);
    }
  }

  _end(by) {
    if (this._ended) return;
    this._close();
    this._tell.ended(by);
  }

  _close() {
    this._ended = true;
    clearInterval(this._latency);
    if (this._socket !== undefined) {
      this._socket.onclose = null;
      this._socket.onmessage = null;
      this._socket.close(1000);
    }
    for (const track of this._voice?.getTracks() ?? []) track.stop();
    this._microphone?.port.postMessage({ closed: true });
    this._player?.port.postMessage({ event: 'closed' });
    // What is being said when the caller hangs up is not said to its end.
    if (this._context.state !== 'closed') this._context.close();
  }
}

/** Throws `CallFault`, which says what is in the way. */
async function openMicrophone() {
  if (navigator.mediaDevices === undefined) throw new CallFault('insecure');
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    const reasons = {
      NotAllowedError: 'refused',
      SecurityError: 'refused',
      NotFoundError: 'missing',
      OverconstrainedError: 'missing',
      NotReadableError: 'taken',
      AbortError: 'taken',
    };
    throw new CallFault(reasons[error.name] ?? 'taken');
  }
}

/** The socket, open; null: it was refused. */
function opened(ticket) {
  const address = new URL(PATH, location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address, [SUBPROTOCOL, `${TICKET_PREFIX}${ticket}`]);
  return new Promise((resolve) => {
    socket.onopen = () => resolve(socket);
    socket.onclose = () => resolve(null);
  });
}

const latencyOf = (context) => (context.baseLatency ?? 0) + (context.outputLatency ?? 0);
