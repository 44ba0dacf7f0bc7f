-- Scripts of the agent as people wrote them in the pages, and which of them is live.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE agent_versions (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_at  timestamptz NOT NULL DEFAULT now(),
    made_by  text NOT NULL CHECK (length(made_by) <= 80),
    note     text NOT NULL CHECK (length(note) <= 300),
    based_on bigint REFERENCES agent_versions (id),
    script   text NOT NULL CHECK (octet_length(script) <= 65536)
);

-- The newest row counts; without a version the agent's file does.
CREATE TABLE agent_live (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    made_by    text NOT NULL CHECK (length(made_by) <= 80),
    version_id bigint REFERENCES agent_versions (id),
    -- Of the file's text at that time.
    file_sum   text NOT NULL
);
