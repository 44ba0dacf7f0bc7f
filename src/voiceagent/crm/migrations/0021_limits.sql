-- Limits: how often each number has called lately, and what the days have cost.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE caller_calls (
    -- A keyed hash of the number: nobody reads here who called.
    digest bytea PRIMARY KEY,
    -- When each call was let in, in seconds since 1970, by its sid.
    calls  jsonb NOT NULL CHECK (jsonb_typeof(calls) = 'object'),
    -- From then on nothing in it counts.
    until  timestamptz NOT NULL
);
CREATE INDEX caller_calls_over ON caller_calls (until);

-- What a language model has read and written, for a few seconds of a process at a time.
CREATE TABLE model_usage (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    tokens_in  bigint NOT NULL CHECK (tokens_in >= 0),
    tokens_out bigint NOT NULL CHECK (tokens_out >= 0)
);
CREATE INDEX model_usage_by_time ON model_usage (at);

-- What is paid for. Counted like the rest of the row, from the records.
ALTER TABLE quarter_hours
    -- Begun ones of calls at the provider.
    ADD COLUMN call_minutes    bigint NOT NULL DEFAULT 0,
    ADD COLUMN heard_seconds   bigint NOT NULL DEFAULT 0,
    ADD COLUMN spoken_chars    bigint NOT NULL DEFAULT 0,
    ADD COLUMN tokens_in       bigint NOT NULL DEFAULT 0,
    ADD COLUMN tokens_out      bigint NOT NULL DEFAULT 0,
    ADD COLUMN messages_billed bigint NOT NULL DEFAULT 0;
