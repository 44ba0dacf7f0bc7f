-- What stays of erased people: that they want no messages, and that a key was used.
-- Core PostgreSQL only (12 or newer): no extension.

ALTER TABLE tombstones
    -- Of a number or an id whose person wanted no more messages: since when. Such a row stays for
    -- good (`until` is infinity), or until that person writes that messages are welcome.
    ADD COLUMN stopped_at timestamptz,
    ADD CHECK (stopped_at IS NULL OR until = 'infinity');

-- Programs put numbers into keys. The keyed hash says as well that a key was used, and is all that
-- is left of the key of an erased person; null where nothing needs it.
ALTER TABLE message_keys ADD COLUMN key_hash bytea UNIQUE;
