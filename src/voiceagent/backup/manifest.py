"""What a backup says of itself, and whether this version can take it.

Facts about a backup flow in and JSON flows out, and the same back; faults are one sentence for
whoever restores. It never touches a file or a database.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Self

from voiceagent.errors import VoiceAgentError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "database.dump"
MOST_MANIFEST_BYTES: Final = 256_000_000
"""More than a million files have."""
FILES: Final = "files/"
"""What stands before a path within `DATA_DIR`."""


class BackupError(VoiceAgentError):
    """A backup cannot be made, read or restored; one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Part:
    """One member of the archive."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The last member of the archive: without it a backup is not whole."""

    made_at: datetime
    """Of the database's snapshot, UTC. Files may be some seconds older."""
    version: str
    postgres: int
    """The server's major version."""
    programs: int
    """That of the programs which wrote the database's part: older ones cannot read it."""
    migrations: Mapping[str, str]
    """Names and checksums of those that the database had."""
    rows: Mapping[str, int]
    """How many each table has, by `schema.table`."""
    parts: Sequence[Part]

    def encoded(self) -> bytes:
        """As JSON in UTF-8."""
        told = {"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps(told, ensure_ascii=False, indent=1).encode()

    @classmethod
    def decoded(cls, text: bytes) -> Self:
        """Raises `BackupError`."""
        try:
            told = json.loads(text)
            if told["format"] != FORMAT:
                raise BackupError("the backup was made by a later version: install that one first")
            return cls(
                made_at=_moment(told["made_at"]),
                version=_words(told["version"]),
                postgres=_count(told["postgres"]),
                programs=_count(told["programs"]),
                migrations={
                    _words(name): _words(sum_) for name, sum_ in told["migrations"].items()
                },
                rows={_table(name): _count(count) for name, count in told["rows"].items()},
                parts=[
                    Part(_words(part["name"]), _count(part["size"]), _words(part["sha256"]))
                    for part in told["parts"]
                ],
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise BackupError("the backup's manifest cannot be read: it is damaged") from error
        except RecursionError:
            raise BackupError("the backup's manifest cannot be read: it is too deep") from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


def _words(text: str) -> str:
    """They are told to people, in one line."""
    if not text.isprintable():
        raise ValueError(text)
    return text


def _count(number: object) -> int:
    if not isinstance(number, int) or not 0 <= number < 1 << 63:
        raise ValueError(number)
    return number


def _table(name: str) -> str:
    """It becomes part of a statement."""
    if not re.fullmatch(r"\w+\.\w+", name, re.ASCII):
        raise ValueError(name)
    return name


def check_parts(manifest: Manifest, found: Collection[Part]) -> None:
    """Whether all that it names is there as it was, and nothing else. Raises `BackupError`."""
    is_there = {part.name: part for part in found}
    if len(is_there) != len(found):
        raise BackupError("the backup is damaged: it holds something twice")
    for part in manifest.parts:
        if part.name not in is_there:
            raise BackupError(f"the backup is damaged: {part.name} is missing")
        if is_there[part.name] != part:
            raise BackupError(f"the backup is damaged: {part.name} is not what was put in")
    if len(found) != len(manifest.parts):
        raise BackupError("the backup is damaged: it holds what its manifest does not name")


def check_schema(manifest: Manifest, shipped: Mapping[str, str]) -> None:
    """Whether migrations lead from its tables to ours: all of its own are among those that are
    `shipped` (names and checksums). Raises `BackupError`."""
    for name, checksum in manifest.migrations.items():
        if name not in shipped:
            raise BackupError(
                f"the backup has tables of a later version ({name}, voiceagent"
                f" {manifest.version}): install that one first"
            )
        if shipped[name] != checksum:
            raise BackupError(f"the backup's {name} is not the one of this version")
