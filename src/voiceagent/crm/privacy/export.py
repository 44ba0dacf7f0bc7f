"""Everything that is known of one person, as one JSON document.

A contact's id flows in, pieces of text flow out while they are read, so that a long history
and large files need no memory. Each time stands there twice: in UTC, and as it was in the
business's zone. It leaves out what only keeps the service going, and nothing else.
"""

import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from uuid import UUID

import asyncpg

from voiceagent.crm.calls.recordings import Recording, RecordingsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import NotFound

ROWS_AT_ONCE: Final = 200
FILE_PIECE_BYTES: Final = 768 * 1024

_CALLS_OF = "(SELECT call_sid FROM calls WHERE contact_id = $1)"
_PAYMENTS_OF = f"(SELECT id FROM payments WHERE contact_id = $1 OR call_sid IN {_CALLS_OF})"  # noqa: S608
_MESSAGES_OF = "(SELECT id FROM messages WHERE contact_id = $1)"


@dataclass(frozen=True, slots=True)
class Section:
    """A table's part of the document: an array under the table's name."""

    table: str
    of_person: str
    """A condition on the row `t`; `$1` is the contact's id."""
    order: str
    """Columns that tell every row from every other one of the table."""
    left_out: frozenset[str] = frozenset()
    """Columns that only keep the service going."""


SECTIONS: Final = (
    Section("contacts", "(t.id = $1 OR t.merged_into = $1)", "id", frozenset({"erasing"})),
    Section("contact_identities", "t.contact_id = $1", "kind, value"),
    Section(
        "calls",
        "t.contact_id = $1",
        "started_at, call_sid",
        frozenset({"summary_lease_until"}),
    ),
    Section("turns", f"t.call_sid IN {_CALLS_OF}", "call_sid, seq", frozenset({"version"})),
    Section("call_fields", f"t.call_sid IN {_CALLS_OF}", "call_sid, name"),
    Section(
        "recordings",
        f"(t.call_sid IN {_CALLS_OF} AND t.kept_at IS NOT NULL)",
        "call_sid",
    ),
    Section("webhook_answers", f"t.call_sid IN {_CALLS_OF}", "call_sid, id"),
    Section(
        "callbacks",
        f"(t.contact_id = $1 OR t.call_sid IN {_CALLS_OF})",
        "created_at, id",
    ),
    Section(
        "appointments",
        f"(t.contact_id = $1 OR t.call_sid IN {_CALLS_OF})",
        "created_at, id",
        frozenset({"token"}),
    ),
    Section(
        "payments",
        f"(t.contact_id = $1 OR t.call_sid IN {_CALLS_OF})",
        "created_at, id",
        frozenset({"digest", "token", "reference", "link", "next_look_at", "told_at"}),
    ),
    Section("payment_events", f"t.payment_id IN {_PAYMENTS_OF}", "payment_id, seq"),
    Section("messages", "t.contact_id = $1", "created_at, id"),
    Section("message_changes", f"t.message_id IN {_MESSAGES_OF}", "message_id, at, change"),
    Section(
        "message_media",
        f"t.message_id IN {_MESSAGES_OF}",
        "message_id, position",
        frozenset(
            {"content", "sha256", "source", "attempts", "next_attempt_at", "transcribe_from"}
        ),
    ),
    Section(
        "message_keys", f"t.message_id IN {_MESSAGES_OF}", "key", frozenset({"digest", "key_hash"})
    ),
    Section(
        "outbox",
        "t.contact_id = $1",
        "seq",
        frozenset({"lease_owner", "lease_until", "next_attempt_at"}),
    ),
    Section(
        "written_dialogues",
        "t.contact_id = $1",
        "contact_id",
        frozenset({"version", "leased_until"}),
    ),
    Section(
        "notices",
        "(substring(t.key from '^[^:]*:[^:]*:(.*)$') IN"
        " (SELECT call_sid FROM calls WHERE contact_id = $1 UNION ALL"
        " SELECT id::text FROM messages WHERE contact_id = $1)"
        " OR COALESCE(t.payload #>> '{data,contact,id}', t.payload #>> '{contact,id}') IN"
        " (SELECT id::text FROM contacts WHERE id = $1 OR merged_into = $1))",
        "created_at, id",
        frozenset({"next_attempt_at"}),
    ),
)
"""In this order in the document."""

_SURVIVOR = "SELECT surviving_contact($1)"

# What a later version adds to a table is in the document without anybody's thinking of it.
_COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = ANY($1::text[])
ORDER BY table_name, ordinal_position
"""

_PIECE = """
SELECT substring(content FROM $3 FOR $4) FROM message_media WHERE message_id = $1 AND position = $2
"""

Columns = Mapping[str, Mapping[str, str]]
"""By table and name, each column's type."""


class Exports:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, zone: tzinfo, wave_head: Callable[[int], bytes]) -> None:
        """`zone`: the business's own, in which times are told beside UTC. `wave_head`: what stands
        before so many bytes of a recording's samples, so that players play them."""
        self._database = database
        self._zone = zone
        self._wave_head = wave_head
        self._recordings = RecordingsRepository(database)

    async def export(self, contact_id: UUID) -> AsyncIterator[str]:
        """The document of a person, in pieces. What comes in meanwhile may be in it or not.

        Raises `NotFound` before there is a piece.
        """
        async with self._database.connection() as connection:
            survivor: UUID | None = await connection.fetchval(_SURVIVOR, contact_id)
            rows = await connection.fetch(_COLUMNS, [section.table for section in SECTIONS])
        if survivor is None:
            raise NotFound(f"there is no contact {contact_id}")
        columns: dict[str, dict[str, str]] = defaultdict(dict)
        for row in rows:
            columns[row["table_name"]][row["column_name"]] = row["data_type"]
        return self._document(survivor, columns)

    async def _document(self, contact_id: UUID, columns: Columns) -> AsyncIterator[str]:
        head = {"contact_id": str(contact_id), "exported": self._told(datetime.now(UTC))}
        yield json.dumps(head, ensure_ascii=False).removesuffix("}")
        for section in SECTIONS:
            yield f', "{section.table}": ['
            separator = ""
            async for row in self._rows(section, contact_id, columns[section.table]):
                yield separator
                async for piece in self._row(section, row, columns[section.table]):
                    yield piece
                separator = ", "
            yield "]"
        yield "}\n"

    async def _rows(
        self, section: Section, contact_id: UUID, columns: Mapping[str, str]
    ) -> AsyncIterator[asyncpg.Record]:
        keys = section.order.split(", ")
        after: list[Any] = []
        while True:
            statement = _page(section, columns, len(after))
            async with self._database.connection() as connection:
                rows = await connection.fetch(statement, contact_id, *after)
            for row in rows:
                yield row
            if len(rows) < ROWS_AT_ONCE:
                return
            after = [rows[-1][key] for key in keys]

    async def _row(
        self, section: Section, row: asyncpg.Record, columns: Mapping[str, str]
    ) -> AsyncIterator[str]:
        shown = {
            name: json.loads(value) if columns[name] == "jsonb" and value else self._told(value)
            for name, value in row.items()
        }
        text = json.dumps(shown, ensure_ascii=False)
        content = self._content(section, row)
        if content is None:
            yield text
            return
        yield text.removesuffix("}") + ', "content_base64": "'
        rest = b""
        async for piece in content:
            # Only whole threes can be put together.
            whole = len(rest + piece) // 3 * 3
            yield base64.b64encode((rest + piece)[:whole]).decode()
            rest = (rest + piece)[whole:]
        yield base64.b64encode(rest).decode() + '"}'

    def _content(self, section: Section, row: asyncpg.Record) -> AsyncIterator[bytes] | None:
        """The file that the row is about, in pieces."""
        match section.table:
            case "message_media" if row["state"] == "stored":
                return self._file(row["message_id"], row["position"])
            case "recordings":
                return self._sound(
                    Recording(
                        row["call_sid"], row["started_at"], row["offset_ms"], row["size_bytes"]
                    )
                )
        return None

    async def _sound(self, recording: Recording) -> AsyncIterator[bytes]:
        yield self._wave_head(recording.size_bytes)
        with suppress(NotFound):  # it was deleted while somebody reads
            async for piece in self._recordings.read(recording, 0, recording.size_bytes):
                yield piece

    async def _file(self, message_id: UUID, position: int) -> AsyncIterator[bytes]:
        start = 1
        while True:
            async with self._database.connection() as connection:
                piece: bytes | None = await connection.fetchval(
                    _PIECE, message_id, position, start, FILE_PIECE_BYTES
                )
            if not piece:
                return
            yield piece
            start += FILE_PIECE_BYTES

    def _told(self, value: object) -> object:
        """A value as the document has it."""
        match value:
            case datetime():
                local = value.astimezone(self._zone)
                utc = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
                return {"utc": utc, "local": local.isoformat()}
            case asyncpg.Range():
                return {"from": self._told(value.lower), "to": self._told(value.upper)}
            case UUID():
                return str(value)
            case bytes():
                return base64.b64encode(value).decode()
            case _:
                return value


def _page(section: Section, columns: Mapping[str, str], keys: int) -> str:
    """The next rows of a section, behind a row with so many key columns; 0: the first ones."""
    shown = ", ".join(f't."{name}"' for name in columns if name not in section.left_out)
    behind = ""
    if keys:
        values = ", ".join(f"${number}" for number in range(2, keys + 2))
        behind = f"AND ({section.order}) > ({values})"
    return (
        f"SELECT {shown} FROM {section.table} t WHERE {section.of_person} {behind}"  # noqa: S608
        f" ORDER BY {section.order} LIMIT {ROWS_AT_ONCE}"
    )
