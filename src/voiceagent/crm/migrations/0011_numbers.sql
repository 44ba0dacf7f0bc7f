-- What the numbers page counts: failures of engines, and each quarter of an hour added up.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE engine_failures (
    id     uuid PRIMARY KEY,
    at     timestamptz NOT NULL,
    -- What failed in use: recognition, voice, thinking, or Twilio asked to connect a caller.
    engine text NOT NULL CHECK (engine IN ('stt', 'tts', 'brain', 'transfer'))
);
CREATE INDEX engine_failures_by_time ON engine_failures (at);

-- The tables below hold nothing that could not be counted again from the records, and are: what
-- was deleted there is gone from here within a day.

-- Quarters, since every zone's hours and days begin with one. Calls count where they began.
CREATE TABLE quarter_hours (
    starts_at           timestamptz PRIMARY KEY,
    calls_in            bigint NOT NULL DEFAULT 0,
    calls_answered      bigint NOT NULL DEFAULT 0,
    calls_out           bigint NOT NULL DEFAULT 0,
    answers             bigint NOT NULL DEFAULT 0,
    barge_ins           bigint NOT NULL DEFAULT 0,
    false_interruptions bigint NOT NULL DEFAULT 0,
    guesses             bigint NOT NULL DEFAULT 0,
    guesses_used        bigint NOT NULL DEFAULT 0,
    stt_failures        bigint NOT NULL DEFAULT 0,
    tts_failures        bigint NOT NULL DEFAULT 0,
    brain_failures      bigint NOT NULL DEFAULT 0,
    transfer_failures   bigint NOT NULL DEFAULT 0,
    messages_in         bigint NOT NULL DEFAULT 0,
    messages_out        bigint NOT NULL DEFAULT 0,
    messages_failed     bigint NOT NULL DEFAULT 0,
    notices_dead        bigint NOT NULL DEFAULT 0,
    callbacks_asked     bigint NOT NULL DEFAULT 0,
    payments_asked      bigint NOT NULL DEFAULT 0,
    payments_paid       bigint NOT NULL DEFAULT 0
);

-- How many replies took how long, in steps of seven per cent: bucket b is 2^(b/10) ms and more.
CREATE TABLE response_times (
    starts_at timestamptz NOT NULL,
    bucket    smallint NOT NULL CHECK (bucket BETWEEN 0 AND 200),
    replies   bigint NOT NULL,
    PRIMARY KEY (starts_at, bucket)
);

-- When each stretch of the past was last counted, by whichever process.
CREATE TABLE tally_rounds (
    name    text PRIMARY KEY,
    done_at timestamptz NOT NULL
);

CREATE INDEX callbacks_newest ON callbacks (created_at);
CREATE INDEX payments_paid ON payments (paid_at) WHERE paid_at IS NOT NULL;
