"""What was learnt about somebody, merged so that the order of arrival does not matter.

Each field keeps the time at which it was learnt; of two values the younger stays, and
of two of the same time the greater. Pure: no clock, no database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """A time as text that sorts like the time itself (UTC, microseconds)."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class LearntFields:
    """Field values, and for each the `stamp` of when it was learnt."""

    values: Mapping[str, str] = field(default_factory=dict)
    stamps: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, at: datetime, values: Mapping[str, str]) -> "LearntFields":
        """Fields that were all learnt at the same time."""
        return cls(values, dict.fromkeys(values, stamp(at)))

    def merged(self, other: "LearntFields") -> "LearntFields":
        """Both together: commutative, associative, and the same again when repeated."""
        values, stamps = dict(self.values), dict(self.stamps)
        for name, value in other.values.items():
            theirs = (other.stamps.get(name, ""), value)
            if name not in values or theirs > (stamps.get(name, ""), values[name]):
                stamps[name], values[name] = theirs
        return LearntFields(values, stamps)
