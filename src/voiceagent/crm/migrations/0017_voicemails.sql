-- Messages that callers left at Twilio while the service was away, and how far its lists were read.
-- Core PostgreSQL only (12 or newer): no extension.

ALTER TABLE messages
    -- Of a spoken message: the call in which it was left. No reference: either may go before the
    -- other.
    ADD COLUMN call_sid text;
CREATE INDEX messages_of_call ON messages (call_sid) WHERE call_sid IS NOT NULL;

-- Lists at a provider that one process reads for all of them.
CREATE TABLE sweeps (
    name         text PRIMARY KEY,
    -- Whatever began before is settled; null before the first look.
    looked_until timestamptz,
    -- When the next look is due; while one goes on, when another process may look instead.
    next_look_at timestamptz NOT NULL
);
