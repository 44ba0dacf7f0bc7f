-- A voice note that no attempt puts into words is given up in the end, and answered as such.

ALTER TABLE message_media
    ADD COLUMN transcribe_attempts integer NOT NULL DEFAULT 0 CHECK (transcribe_attempts >= 0);
