"""What a search looks through: contacts, calls and messages, each as SQL.

Constants only. A stream says what a hit shows, when a row is one, and by which trigrams the few
rows are found that may be one. It runs nothing.
"""

from dataclasses import dataclass
from typing import Final

CONTACT_WORDS: Final = "contact_words(name, phone, fields)"
CALL_WORDS: Final = "(COALESCE(summary, '') || E'\\n' || from_number || E'\\n' || to_number)"
"""Texts that indexes are made of."""
LONG: Final = "'{-1}'::bigint[]"
"""Has each text that is longer than what of it is indexed: any words may stand in the rest."""
MIN_INDEXED_CHARACTERS: Final = 3
"""Fewer have no trigram."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A table that is looked through from its newest row on.

    In its SQL `$1` is a pattern of the words and `$2` of a number, or null; in `candidates` `$3`
    are the words and `$4` the number's digits.
    """

    kind: str
    table: str
    alias: str
    at: str
    id: str
    """Its key's column, as `at` without the alias."""
    contact_id: str
    text: str
    """What a hit shows."""
    joins: str
    is_hit: str
    candidates: str
    """Ids of all rows that are hits, found by indexes, and of some that are not."""
    at_once: int
    """Rows that are looked through at a time: some 10 ms."""

    @property
    def key(self) -> str:
        """Orders rows of the same time, also among those of other tables."""
        return f"('{self.kind} ' || {self.alias}.{self.id}) COLLATE \"C\""

    @property
    def time(self) -> str:
        """When the row was."""
        return f"{self.alias}.{self.at}"

    @property
    def rows(self) -> str:
        """All of them."""
        return f"{self.table} {self.alias}"

    @property
    def indexed_rows(self) -> str:
        """The candidates. The OFFSET keeps the planner from looking through all rows in their
        order instead, as it would in hope of an early end."""
        return (
            f"(SELECT * FROM {self.table} WHERE {self.id} IN ({self.candidates}) OFFSET 0)"  # noqa: S608
            f" {self.alias}"
        )


CONTACTS: Final = Stream(
    kind="contact",
    table="contacts",
    alias="k",
    at="created_at",
    id="id",
    contact_id="k.id",
    text="""
COALESCE((SELECT string_agg(f.value, ', ' ORDER BY f.key)
          FROM jsonb_each_text(k.fields) f WHERE f.value ILIKE $1), '')
""",
    joins="",
    is_hit="""
k.merged_into IS NULL AND k.erasing IS NULL
AND (k.name ILIKE $1 OR k.phone LIKE $1 OR k.phone LIKE $2
     OR EXISTS (SELECT FROM jsonb_each_text(k.fields) f WHERE f.value ILIKE $1)
     OR EXISTS (SELECT FROM contacts m
                WHERE m.merged_into = k.id AND (m.phone LIKE $1 OR m.phone LIKE $2))
     OR EXISTS (SELECT FROM contact_identities i
                WHERE i.contact_id = k.id AND (i.value LIKE $1 OR i.value LIKE $2) OFFSET 0))
""",
    candidates=f"""
SELECT COALESCE(merged_into, id) FROM contacts
WHERE trigrams({CONTACT_WORDS}) @> trigrams($3) OR trigrams({CONTACT_WORDS}) @> trigrams($4)
UNION SELECT COALESCE(merged_into, id) FROM contacts WHERE trigrams({CONTACT_WORDS}) @> {LONG}
UNION SELECT contact_id FROM contact_identities
      WHERE trigrams(value) @> trigrams($3) OR trigrams(value) @> trigrams($4)
""",  # noqa: S608 - our own constants
    at_once=500,
)

CALLS: Final = Stream(
    kind="call",
    table="calls",
    alias="c",
    at="started_at",
    id="call_sid",
    contact_id="c.contact_id",
    text="COALESCE(said.text, CASE WHEN c.summary ILIKE $1 THEN c.summary END, learnt.value, '')",
    joins="""
LEFT JOIN LATERAL (SELECT t.text FROM turns t WHERE t.call_sid = c.call_sid AND t.text ILIKE $1
                   ORDER BY t.seq LIMIT 1) AS said ON true
LEFT JOIN LATERAL (SELECT f.value FROM call_fields f
                   WHERE f.call_sid = c.call_sid AND f.value ILIKE $1
                   ORDER BY f.name LIMIT 1) AS learnt ON true
""",
    is_hit="""
(said.text IS NOT NULL OR learnt.value IS NOT NULL OR c.summary ILIKE $1
 OR c.from_number LIKE $1 OR c.to_number LIKE $1 OR c.from_number LIKE $2 OR c.to_number LIKE $2)
""",
    candidates=f"""
SELECT call_sid FROM turns
WHERE (trigrams(text) @> trigrams($3) OR trigrams(text) @> {LONG}) AND text ILIKE $1
UNION SELECT call_sid FROM call_fields
      WHERE (trigrams(value) @> trigrams($3) OR trigrams(value) @> {LONG}) AND value ILIKE $1
UNION SELECT call_sid FROM calls
      WHERE (trigrams({CALL_WORDS}) @> trigrams($3) OR trigrams({CALL_WORDS}) @> trigrams($4))
        AND ({CALL_WORDS} ILIKE $1 OR {CALL_WORDS} LIKE $2)
UNION SELECT call_sid FROM calls
      WHERE trigrams({CALL_WORDS}) @> {LONG} AND ({CALL_WORDS} ILIKE $1 OR {CALL_WORDS} LIKE $2)
""",  # noqa: S608 - our own constants
    at_once=100,
)

MESSAGES: Final = Stream(
    kind="message",
    table="messages",
    alias="m",
    at="created_at",
    id="id",
    contact_id="m.contact_id",
    text="""
COALESCE(CASE WHEN m.text ILIKE $1 OR m.text LIKE $2 THEN m.text END, heard.transcript, '')
""",
    joins="""
LEFT JOIN LATERAL (SELECT f.transcript FROM message_media f
                   WHERE f.message_id = m.id AND f.transcript ILIKE $1
                   ORDER BY f.position LIMIT 1) AS heard ON true
""",
    is_hit="(m.text ILIKE $1 OR m.text LIKE $2 OR heard.transcript IS NOT NULL)",
    candidates=f"""
SELECT id FROM messages
WHERE trigrams(text) @> trigrams($3) AND text ILIKE $1
   OR trigrams(text) @> trigrams($4) AND text LIKE $2
   OR trigrams(text) @> {LONG} AND (text ILIKE $1 OR text LIKE $2)
UNION SELECT message_id FROM message_media
      WHERE trigrams(transcript) @> trigrams($3) OR trigrams(transcript) @> {LONG}
""",  # noqa: S608 - our own constants
    at_once=1_000,
)

PHASES: Final[tuple[tuple[Stream, ...], ...]] = ((CONTACTS,), (CALLS, MESSAGES))
"""One after the other; what is in one phase comes in one order."""
