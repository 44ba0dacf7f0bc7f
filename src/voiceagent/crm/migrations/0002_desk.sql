-- The front desk: wishes to be called back, the appointment book, who answers in writing.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE callbacks (
    id         uuid PRIMARY KEY,
    -- Of the request: however often it arrives, it is one wish.
    key        text NOT NULL UNIQUE,
    -- On the telephone the call tells whose wish it is, in writing the contact itself.
    call_sid   text REFERENCES calls (call_sid) ON DELETE CASCADE,
    contact_id uuid REFERENCES contacts (id),
    -- When the person wishes to be called.
    at         timestamptz NOT NULL,
    about      text NOT NULL,
    status     text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'cancelled')),
    created_at timestamptz NOT NULL,
    done_at    timestamptz,
    CHECK ((status = 'done') = (done_at IS NOT NULL))
);
CREATE INDEX callbacks_soonest ON callbacks (status, at, id);
CREATE INDEX callbacks_of_call ON callbacks (call_sid);
CREATE INDEX callbacks_of_contact ON callbacks (contact_id) WHERE contact_id IS NOT NULL;

CREATE TABLE appointments (
    id           uuid PRIMARY KEY,
    key          text NOT NULL UNIQUE,
    -- No reference to calls: booked at once, while the call's own records may still be on their way.
    call_sid     text,
    contact_id   uuid REFERENCES contacts (id),
    period       tstzrange NOT NULL CHECK (
        lower_inc(period) AND NOT upper_inc(period)
        AND isfinite(lower(period)) AND isfinite(upper(period))
    ),
    about        text NOT NULL,
    name         text NOT NULL DEFAULT '',
    status       text NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'cancelled')),
    -- Opens the calendar file to whoever was given it.
    token        text NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
    -- One book: of two that overlap, one was not booked. Whoever books at the same moment waits
    -- for the other to have done so.
    EXCLUDE USING gist (period WITH &&) WHERE (status = 'booked')
);
CREATE INDEX appointments_soonest ON appointments (lower(period), id);
CREATE INDEX appointments_of_call ON appointments (call_sid) WHERE call_sid IS NOT NULL;
CREATE INDEX appointments_of_contact ON appointments (contact_id) WHERE contact_id IS NOT NULL;

ALTER TABLE contacts
    -- Who answers what this contact writes: the agent, nobody, or a person who has taken over.
    ADD COLUMN agent text NOT NULL DEFAULT 'on' CHECK (agent IN ('on', 'off', 'person')),
    -- NULL until it was set for the first time.
    ADD COLUMN agent_changed_at timestamptz;
