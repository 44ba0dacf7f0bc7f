"""The list of who was erased, when its file is not as it was written."""

from datetime import UTC, datetime
from pathlib import Path

from voiceagent.crm.privacy.erasure_ledger import Erased, add_to_ledger, erased_since, read_ledger

ONE = Erased(datetime(2026, 11, 27, 8, tzinfo=UTC), ["aa", "bb"])


def test_lines_that_cannot_be_read_are_left_out_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"
    damaged = b"\n".join(
        [b"\xff\xfe", b"[" * 100_000, b'{"erased_at": 7}', b'{"erased_at": "2026-11-27T08:00:00"}']
    )
    path.write_bytes(damaged)
    add_to_ledger(path, [ONE])
    add_to_ledger(path, [ONE])
    assert path.read_bytes() == damaged + b"\n" + ONE.line().encode()
    assert read_ledger(path) == [ONE]
    assert set(erased_since([ONE], datetime(2026, 11, 1, tzinfo=UTC))) == {"aa", "bb"}
