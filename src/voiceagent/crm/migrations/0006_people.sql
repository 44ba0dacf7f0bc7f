-- Contacts that became one, contacts that are being erased, and what erased ones are known by.
-- Core PostgreSQL only (12 or newer): no extension.

ALTER TABLE contacts
    -- This one became that one. It stays as a sign to it: its id is in other programs' hands, and
    -- its number is still dialled.
    ADD COLUMN merged_into uuid REFERENCES contacts (id) ON DELETE CASCADE,
    -- Being erased: nobody finds it any more, nothing new can hang on it, the rest of it goes in
    -- batches. What is in here those outside the database have still to be told.
    ADD COLUMN erasing jsonb CHECK (jsonb_typeof(erasing) = 'object'),
    -- People have seen what was written until then.
    ADD COLUMN read_at timestamptz,
    ADD CHECK (merged_into <> id);
CREATE INDEX contacts_merged ON contacts (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX contacts_erasing ON contacts (id) WHERE erasing IS NOT NULL;
CREATE INDEX contacts_active ON contacts (updated_at DESC, id DESC)
    WHERE merged_into IS NULL AND erasing IS NULL;

-- The contact that an id leads to by now.
CREATE FUNCTION surviving_contact(contact uuid) RETURNS uuid
LANGUAGE sql STABLE AS
$$ SELECT COALESCE(merged_into, id) FROM contacts WHERE id = contact AND erasing IS NULL $$;

-- Whoever found a contact a moment ago may hang something on it when it has become another one,
-- or is being erased. So each table that refers to contacts has this; a merge is waited for.
CREATE FUNCTION hang_on_survivor() RETURNS trigger
LANGUAGE plpgsql AS
$$
DECLARE
    survivor uuid;
    gone boolean;
BEGIN
    IF NEW.contact_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT merged_into, erasing IS NOT NULL INTO survivor, gone
    FROM contacts WHERE id = NEW.contact_id FOR KEY SHARE;
    IF gone THEN
        RAISE foreign_key_violation USING MESSAGE = 'the contact is being erased';
    END IF;
    NEW.contact_id := COALESCE(survivor, NEW.contact_id);
    RETURN NEW;
END
$$;

CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON calls
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();
CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON callbacks
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();
CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON appointments
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();
CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON written_dialogues
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();
CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON contact_identities
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();
CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON messages
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();
CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON outbox
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();

-- What the business writes is activity as well; what it receives is noted by its records.
CREATE FUNCTION note_activity() RETURNS trigger
LANGUAGE plpgsql AS
$$
BEGIN
    UPDATE contacts SET updated_at = NEW.created_at
    WHERE id = NEW.contact_id AND updated_at < NEW.created_at;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_activity AFTER INSERT ON messages
    FOR EACH ROW WHEN (NEW.status = 'queued') EXECUTE FUNCTION note_activity();

-- By these the late records of an erased person are known, so that nobody comes back by them.
CREATE TABLE tombstones (
    -- Keyed hash of a call's sid, a number or an id. The key is not in the database.
    digest    bytea PRIMARY KEY,
    erased_at timestamptz NOT NULL,
    -- Nothing comes as late as that.
    until     timestamptz NOT NULL
);
CREATE INDEX tombstones_over ON tombstones (until);

-- A notice's key is target, type and subject: a call's sid, a message's id.
CREATE INDEX notices_of_subject ON notices (substring(key from '^[^:]*:[^:]*:(.*)$'));
