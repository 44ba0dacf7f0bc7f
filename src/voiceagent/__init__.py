"""voiceagent answers a business's phone and WhatsApp.

Follow a call, in this order:

1. `web/telephony_webhooks.py`: it rings; the answer connects it to the media socket.
2. `web/telephony.py`: the socket; Twilio's first messages; a `CallSession` takes over.
3. `call/session.py`: the shell that moves events and actions.
4. `call/receiving.py`: the caller's 20 ms, on their way to become events (`call/ears.py` keeps
   a recogniser open for them).
5. `call/turns.py`: whose turn it is, as a machine without a clock (`call/utterance.py`
   follows the caller's side of it).
6. `call/thinking.py`: the brain is asked, and its answer becomes events.
7. `call/replies.py`: the reply under way, from its first sentence to what was heard of it.
8. `call/playout.py`: when which 20 ms leave, and what was heard of them.
9. One adapter, e.g. `speech/local_tts.py`, behind `speech/ports.py`.

What the agent says is thought of behind `brain/ports.py`; `brain/__init__.py` goes on there.

A message takes another way: `web/whatsapp.py` takes it, `crm/recording/message_records.py`
keeps it, `written/agent.py` answers it, `crm/messages/outbox.py` holds the answer and
`whatsapp/outbox.py` sends it, by `whatsapp/sidecar.py` to `node/baileys/` or by
`whatsapp/twilio_sender.py`.

Where the business wants it, `recordings/` keeps how a call sounded. What Twilio took while the
service was away, `voicemail/sweep.py` finds there and keeps like any call.

`app.py` and `wiring/` put the parts together; `settings.py` is the only reader of the environment;
`errors.py` has the tree of errors at its top. Pure modules import no event loop, no
vendor and no clock; `.importlinter` keeps that and the direction of the arrows.
"""
