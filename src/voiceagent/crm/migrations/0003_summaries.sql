-- What was said in a call, in a few sentences; and what the owner is to be told of.
-- Core PostgreSQL only (12 or newer): no extension.

ALTER TABLE calls
    ADD COLUMN summary text,
    -- 'none': nobody said anything; the summary only says that.
    ADD COLUMN summary_source text CHECK (summary_source IN ('llm', 'script', 'none')),
    ADD COLUMN summarised_at timestamptz,
    -- Who works on the summary has it until then: no row stays locked meanwhile, and a killed
    -- process's work goes to another one.
    ADD COLUMN summary_lease_until timestamptz,
    ADD CHECK ((summary IS NULL) = (summary_source IS NULL));

ALTER TABLE contacts
    ADD COLUMN last_summary text,
    -- The end of the call that it is of: of two summaries that of the later call stays.
    ADD COLUMN last_summary_at timestamptz,
    ADD CHECK ((last_summary IS NULL) = (last_summary_at IS NULL));

-- Calls from before this version: nobody wants to be told of last year's.
UPDATE calls SET summarised_at = now()
WHERE ended_at IS NOT NULL OR started_at < now() - interval '1 hour';

CREATE INDEX calls_to_summarise ON calls (ended_at)
    WHERE ended_at IS NOT NULL AND summarised_at IS NULL;
CREATE INDEX calls_never_connected ON calls (announced_at)
    WHERE streamed_at IS NULL AND ended_at IS NULL AND summarised_at IS NULL;

CREATE TABLE notices (
    id              uuid PRIMARY KEY,
    -- What it tells, of what, to whom: nobody is told the same twice.
    key             text NOT NULL UNIQUE,
    type            text NOT NULL,
    target          text NOT NULL CHECK (target IN ('webhook', 'whatsapp')),
    payload         jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    status          text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'delivered', 'dead')),
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- While an attempt is under way: when another process may try instead.
    next_attempt_at timestamptz NOT NULL,
    last_error      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    delivered_at    timestamptz,
    CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX notices_due ON notices (target, next_attempt_at) WHERE status = 'queued';
CREATE INDEX notices_newest ON notices (status, created_at DESC, id DESC);
