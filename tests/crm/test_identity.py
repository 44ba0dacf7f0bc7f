"""Ids are UUIDv7 and sort by their making."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122

from voiceagent.crm.identity import uuid7


def test_an_id_is_a_version_7_uuid_of_now() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = uuid7()
    after_ms = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    # Ids made faster than their 12 bits of order can tell run a little ahead of the clock.
    assert before_ms <= made.int >> 80 <= after_ms + 1_000


def test_ids_grow_and_never_repeat_also_between_threads() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    with ThreadPoolExecutor(4) as threads:
        many = [
            one
            for part in threads.map(lambda _: [uuid7() for _ in range(2_000)], range(8))
            for one in part
        ]
    assert len(set(many)) == len(many)


def test_ids_grow_when_the_clock_steps_back(monkeypatch) -> None:
    first = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    assert uuid7() > first
