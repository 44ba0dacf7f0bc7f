-- What a conversation in writing remembers between two messages, and who is answering it now.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE written_dialogues (
    -- Whoever is erased leaves no conversation.
    contact_id   uuid PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE,
    state        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(state) = 'object'),
    -- Of the claim: whoever comes with an older one has lost the conversation to somebody else.
    version      integer NOT NULL CHECK (version > 0),
    leased_until timestamptz,
    -- An answer that was decided on: kept until all of it is handed over, since a process may die
    -- between the two.
    unsent       jsonb CHECK (jsonb_typeof(unsent) = 'object'),
    -- When the state was last decided on; NULL before the first answer.
    updated_at   timestamptz
);
CREATE INDEX written_dialogues_unsent ON written_dialogues (updated_at) WHERE unsent IS NOT NULL;
