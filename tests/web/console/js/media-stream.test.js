import assert from 'node:assert/strict';
import test from 'node:test';

import { PhoneStream } from '../../../../src/voiceagent/web/console/static/phone/media-stream.js';

const stream = () => new PhoneStream('CA1', 'MZ1');
const media = (payload, streamSid = 'MZ1') => JSON.stringify({ event: 'media', streamSid, media: { payload } });

test('the call opens as Twilio opens it', () => {
  const [connected, start] = stream().opening().map(JSON.parse);
  assert.deepEqual(connected, { event: 'connected', protocol: 'Call', version: '1.0.0' });
  assert.equal(start.event, 'start');
  assert.equal(start.sequenceNumber, '1');
  assert.equal(start.streamSid, 'MZ1');
  assert.equal(start.start.callSid, 'CA1');
  assert.equal(start.start.streamSid, 'MZ1');
  assert.deepEqual(start.start.tracks, ['inbound']);
  assert.deepEqual(start.start.mediaFormat, { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 });
  assert.equal(start.start.customParameters.call_sid, 'CA1');
});

test('frames are numbered and timed as texts, each 20 ms after the one before', () => {
  const call = stream();
  call.opening();
  const frames = [0, 1, 2].map((value) => JSON.parse(call.media(new Uint8Array(160).fill(value))));
  assert.deepEqual(frames.map(({ sequenceNumber }) => sequenceNumber), ['2', '3', '4']);
  assert.deepEqual(frames.map((frame) => frame.media.chunk), ['1', '2', '3']);
  assert.deepEqual(frames.map((frame) => frame.media.timestamp), ['0', '20', '40']);
  assert.deepEqual(frames.map((frame) => frame.media.track), ['inbound', 'inbound', 'inbound']);
  assert.deepEqual([...Buffer.from(frames[2].media.payload, 'base64')], new Array(160).fill(2));
});

test('a frame is 160 bytes', () => {
  assert.throws(() => stream().media(new Uint8Array(159)), RangeError);
});

test('keys, marks and the end count on', () => {
  const call = stream();
  call.opening();
  const [dtmf, mark, stop] = [call.dtmf('#'), call.mark('1:40'), call.stop()].map(JSON.parse);
  assert.deepEqual(dtmf, { event: 'dtmf', sequenceNumber: '2', dtmf: { track: 'inbound_track', digit: '#' }, streamSid: 'MZ1' });
  assert.deepEqual(mark, { event: 'mark', sequenceNumber: '3', mark: { name: '1:40' }, streamSid: 'MZ1' });
  assert.equal(stop.stop.callSid, 'CA1');
  assert.equal(stop.sequenceNumber, '4');
});

test('what the service asks for', () => {
  const call = stream();
  const every = Uint8Array.from({ length: 256 }, (_, code) => code);
  const asked = call.receive(media(Buffer.from(every).toString('base64')));
  assert.deepEqual(asked, { event: 'media', ulaw: every });
  assert.deepEqual(call.receive('{"event":"mark","streamSid":"MZ1","mark":{"name":"2:end"}}'), { event: 'mark', name: '2:end' });
  assert.deepEqual(call.receive('{"event":"clear","streamSid":"MZ1"}'), { event: 'clear' });
});

test('what is no message for this phone is refused', () => {
  const wrong = [
    'no JSON', '[]', 'null', '{}', '{"event":"stop","streamSid":"MZ1"}', media('AAAA', 'MZ2'), media('*'), media(7),
    '{"event":"media","streamSid":"MZ1"}', '{"event":"mark","streamSid":"MZ1"}', '{"event":"clear"}', new ArrayBuffer(4),
  ];
  for (const text of wrong) assert.equal(stream().receive(text).event, 'refused', String(text));
});
