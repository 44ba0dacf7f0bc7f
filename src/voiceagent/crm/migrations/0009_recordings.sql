-- Calls as they were heard: two channels of µ-law, the caller on the left, the agent on the right.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE recordings (
    call_sid   text PRIMARY KEY REFERENCES calls (call_sid) ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    -- How long the call had lasted then, on the clock of its turns' timings.
    offset_ms  integer NOT NULL CHECK (offset_ms >= 0),
    -- Samples of both channels, without a header: 16,000 bytes a second.
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    -- Null while its pieces come in: nobody sees it.
    kept_at    timestamptz
);
CREATE INDEX recordings_by_age ON recordings (started_at);

CREATE TABLE recording_pieces (
    call_sid text NOT NULL REFERENCES recordings (call_sid) ON DELETE CASCADE,
    -- Of its first byte within the samples.
    start    bigint NOT NULL CHECK (start >= 0),
    content  bytea NOT NULL,
    PRIMARY KEY (call_sid, start)
);
-- Two voices do not get smaller by it.
ALTER TABLE recording_pieces ALTER COLUMN content SET STORAGE EXTERNAL;
