-- Of a text only the first 4,096 characters have trigrams: the longest that WhatsApp has would cost
-- the database 0.15 s. A longer one has -1 beside them, which no three letters have: whoever
-- searches reads all that have it. Texts from before have all of theirs, and are found by those.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE OR REPLACE FUNCTION trigrams(words text) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL RESTRICTED AS
$$
DECLARE
    letters text[] := string_to_array(lower(left(words, 4096)), NULL);
    found bigint[] := ARRAY(
        SELECT (ascii(a)::bigint << 42) | (ascii(b)::bigint << 21) | ascii(c)::bigint
        FROM unnest(letters, letters[2:], letters[3:]) AS following (a, b, c)
        WHERE c IS NOT NULL
    );
BEGIN
    IF length(words) > 4096 THEN
        RETURN found || -1::bigint;
    END IF;
    RETURN found;
END
$$;
