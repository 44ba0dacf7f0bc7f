-- Calls in which nobody talked with the agent, or that a fault ended, are few and looked for.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE INDEX calls_not_talked ON calls (started_at DESC, call_sid DESC)
    WHERE end_reason IS NULL
       OR end_reason NOT IN ('agent_hangup', 'caller_hangup', 'idle', 'drain');
