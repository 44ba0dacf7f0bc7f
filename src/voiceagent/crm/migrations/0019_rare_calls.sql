-- Calls that go on, went to a person or broke are few among many that nobody took: each kind is
-- found by itself. And what webhooks were answered is found by its age, by an index that costs
-- next to nothing to write, since the rows come in the order of time.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE INDEX calls_live ON calls (started_at DESC, call_sid DESC) WHERE ended_at IS NULL;
CREATE INDEX calls_transferred ON calls (started_at DESC, call_sid DESC)
    WHERE end_reason = 'transferred';
CREATE INDEX calls_broken ON calls (started_at DESC, call_sid DESC)
    WHERE end_reason IN ('error', 'socket_lost', 'send_timeout', 'process_lost');
CREATE INDEX webhook_answers_by_age ON webhook_answers USING brin (at);
