-- WhatsApp: who is who there, what was written, what waits to be sent, files that came along.
-- Core PostgreSQL only (12 or newer): no extension.

ALTER TABLE contacts
    -- When the person last wrote that they want no messages, and that they want them again: the
    -- later one counts.
    ADD COLUMN whatsapp_stop_at timestamptz,
    ADD COLUMN whatsapp_start_at timestamptz;

-- One person has a number and, at WhatsApp, an id that hides it (LID). A row's lock is held while
-- something is hung on its contact, so that two contacts can become one meanwhile.
CREATE TABLE contact_identities (
    kind       text NOT NULL CHECK (kind IN ('phone', 'lid')),
    -- E.164, or `…@lid`.
    value      text NOT NULL,
    contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    PRIMARY KEY (kind, value)
);
CREATE INDEX contact_identities_of_contact ON contact_identities (contact_id);

CREATE TABLE messages (
    -- Made from the provider's id where the message came from there: however often it is told, it
    -- is one message.
    id          uuid PRIMARY KEY,
    contact_id  uuid NOT NULL REFERENCES contacts (id),
    channel     text NOT NULL DEFAULT 'whatsapp' CHECK (channel IN ('whatsapp', 'voice')),
    provider    text NOT NULL CHECK (provider IN ('baileys', 'twilio')),
    direction   text NOT NULL CHECK (direction IN ('in', 'out')),
    status      text NOT NULL CHECK (
        status IN ('received', 'queued', 'unknown', 'sent', 'failed', 'delivered', 'read')
    ),
    kind        text NOT NULL DEFAULT 'text',
    text        text NOT NULL DEFAULT '',
    -- What it answers, a place, a reaction, the sender's name.
    details     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    -- Who of the business wrote it: the agent in a conversation, any other program, a person.
    author      text CHECK (author IN ('agent', 'program', 'person')),
    -- Of an agent's message: the id of the last message that it answers.
    answers     text,
    -- The person wants no messages any more, or wants them again.
    wish        text CHECK (wish IN ('stop', 'start')),
    external_id text,
    -- Why it failed, or why it has not left yet.
    error       text NOT NULL DEFAULT '',
    -- Of the failed message that people had sent once more by this one.
    again_of    uuid UNIQUE REFERENCES messages (id) ON DELETE SET NULL,
    -- When it was written, as the provider says; null where it does not.
    sent_at     timestamptz,
    -- When it was first told to us, or taken from whoever sends.
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    edited_at   timestamptz,
    deleted_at  timestamptz,
    CHECK ((direction = 'in') = (status = 'received')),
    CHECK ((direction = 'in') = (author IS NULL))
);
CREATE INDEX messages_newest ON messages (created_at DESC, id DESC);
CREATE INDEX messages_of_contact ON messages (contact_id, created_at DESC, id DESC);
CREATE INDEX messages_wishes ON messages (contact_id, wish, created_at DESC) WHERE wish IS NOT NULL;
CREATE INDEX messages_undecided ON messages (status, created_at DESC, id DESC)
    WHERE status IN ('failed', 'unknown', 'queued');

-- Edits and deletions by their writers. No reference: one may come before its message.
CREATE TABLE message_changes (
    message_id uuid NOT NULL,
    at         timestamptz NOT NULL,
    change     text NOT NULL CHECK (change IN ('edited', 'deleted')),
    text       text NOT NULL DEFAULT '',
    PRIMARY KEY (message_id, at, change)
);

-- Who asked for a message under which key: the same key is the same message, for good.
CREATE TABLE message_keys (
    key             text PRIMARY KEY,
    -- SHA-256 of what was asked: the same key with something else is a mistake.
    digest          bytea NOT NULL,
    -- Null: that message was erased. The key stays, so that nothing is sent again.
    message_id      uuid REFERENCES messages (id) ON DELETE SET NULL,
    -- Until then somebody may be waiting for the first answer.
    in_flight_until timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX message_keys_of_message ON message_keys (message_id);

-- What is still to be sent, or whose fate is still to be found out; in order for each contact.
CREATE TABLE outbox (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id      uuid NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
    contact_id      uuid NOT NULL REFERENCES contacts (id),
    provider        text NOT NULL CHECK (provider IN ('baileys', 'twilio')),
    -- E.164, or `…@lid`.
    recipient       text NOT NULL,
    -- Only the word that says that nothing more will come.
    despite_stop    boolean NOT NULL DEFAULT false,
    -- 'begun': an attempt was made and nobody knows yet what came of it.
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'begun')),
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    -- Who works on it has it until then. A killed process's work goes to another one.
    lease_owner     uuid,
    lease_until     timestamptz,
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX outbox_of_contact ON outbox (contact_id, seq);

-- Files that came with messages. Here and not on a disk: every process sees them, and erasing a
-- person erases them.
CREATE TABLE message_media (
    id              uuid PRIMARY KEY,
    message_id      uuid NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    position        integer NOT NULL CHECK (position >= 0),
    provider        text NOT NULL CHECK (provider IN ('baileys', 'twilio')),
    -- Where it can be fetched: an address at Twilio, an id at the sidecar.
    source          text NOT NULL,
    mime_type       text NOT NULL DEFAULT '',
    file_name       text NOT NULL DEFAULT '',
    size_bytes      bigint,
    seconds         real,
    voice_note      boolean NOT NULL DEFAULT false,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'stored', 'failed')),
    content         bytea,
    sha256          bytea,
    transcript      text,
    -- Null: nothing is to be transcribed, or it is done.
    transcribe_from timestamptz,
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- While an attempt is under way: when another process may try instead.
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    error           text NOT NULL DEFAULT '',
    UNIQUE (message_id, position),
    CHECK ((state = 'stored') = (content IS NOT NULL))
);
-- Photos and voice notes are compressed already.
ALTER TABLE message_media ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX message_media_to_fetch ON message_media (next_attempt_at) WHERE state = 'waiting';
CREATE INDEX message_media_to_transcribe ON message_media (transcribe_from)
    WHERE transcribe_from IS NOT NULL;
