-- Three letters after each other, each place in a text: by these an index finds any part of a word.
-- Core PostgreSQL only (12 or newer): no extension. The indexes are made beside the running
-- service (crm/people/search_indexes.py), since a large table takes minutes.

-- As ILIKE compares: a text that contains another one has all trigrams of it. Exact, not hashed:
-- a character has 21 bits at most. In PL/pgSQL, which keeps its plan from row to row; not parallel,
-- so that making an index leaves the other cores to calls.
CREATE FUNCTION trigrams(words text) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL RESTRICTED AS
$$
DECLARE
    letters text[] := string_to_array(lower(words), NULL);
BEGIN
    RETURN ARRAY(
        SELECT (ascii(a)::bigint << 42) | (ascii(b)::bigint << 21) | ascii(c)::bigint
        FROM unnest(letters, letters[2:], letters[3:]) AS following (a, b, c)
        WHERE c IS NOT NULL
    );
END
$$;

-- What a contact is found by, as one text.
CREATE FUNCTION contact_words(name text, phone text, fields jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS
$$
BEGIN
    RETURN COALESCE(name, '') || E'\n' || COALESCE(phone, '') || E'\n'
        || COALESCE((SELECT string_agg(value, E'\n') FROM jsonb_each_text(fields)), '');
END
$$;
