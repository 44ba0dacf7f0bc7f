-- Contacts, calls, what was said in them and how their webhooks were answered.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE contacts (
    id         uuid PRIMARY KEY,
    phone      text UNIQUE CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    name       text,
    fields     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(fields) = 'object'),
    -- When each field was learnt: the younger value of two stays, whichever arrives first.
    fields_at  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(fields_at) = 'object'),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX contacts_newest ON contacts (created_at DESC, id DESC);

CREATE TABLE calls (
    call_sid     text PRIMARY KEY,
    contact_id   uuid REFERENCES contacts (id),
    from_number  text NOT NULL DEFAULT '',
    to_number    text NOT NULL DEFAULT '',
    direction    text NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound')),
    -- The earliest time of any record of the call: known from the first record on.
    started_at   timestamptz NOT NULL,
    announced_at timestamptz,
    streamed_at  timestamptz,
    stream_sid   text,
    simulated    boolean NOT NULL DEFAULT false,
    ended_at     timestamptz,
    ended_status text CHECK (ended_status IN ('completed', 'failed')),
    end_reason   text,
    counters     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(counters) = 'object'),
    -- Computed from what is known, so it cannot go back and does not depend on the order of arrival.
    status       text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN ended_status IS NOT NULL THEN ended_status
            WHEN announced_at IS NOT NULL AND streamed_at IS NULL THEN 'ringing'
            ELSE 'in-progress'
        END
    ) STORED,
    CHECK ((ended_at IS NULL) = (ended_status IS NULL))
);
CREATE INDEX calls_newest ON calls (started_at DESC, call_sid DESC);
CREATE INDEX calls_of_contact ON calls (contact_id, started_at DESC);

CREATE TABLE turns (
    call_sid text NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
    seq      integer NOT NULL CHECK (seq >= 0),
    turn     integer NOT NULL CHECK (turn >= 0),
    who      text NOT NULL CHECK (who IN ('caller', 'agent')),
    text     text NOT NULL,
    heard    text NOT NULL,
    status   text NOT NULL CHECK (status IN ('speaking', 'complete', 'interrupted', 'abandoned')),
    source   text NOT NULL DEFAULT '',
    timings  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(timings) = 'object'),
    at       timestamptz NOT NULL,
    -- Orders the records of one turn: the greatest is the newest.
    version  text COLLATE "C" NOT NULL,
    PRIMARY KEY (call_sid, seq)
);

-- No reference to calls: Twilio may ask about a call that this service never took, and what it
-- was answered is kept all the same.
CREATE TABLE webhook_answers (
    id       uuid PRIMARY KEY,
    call_sid text NOT NULL,
    at       timestamptz NOT NULL,
    route    text NOT NULL,
    status   integer NOT NULL CHECK (status BETWEEN 100 AND 4999),
    event    text NOT NULL DEFAULT '',
    detail   text NOT NULL DEFAULT ''
);
CREATE INDEX webhook_answers_of_call ON webhook_answers (call_sid, at, id);

CREATE TABLE call_fields (
    call_sid text NOT NULL REFERENCES calls (call_sid) ON DELETE CASCADE,
    name     text NOT NULL,
    value    text NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (call_sid, name)
);
