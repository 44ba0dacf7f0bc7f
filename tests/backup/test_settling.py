"""The sidecar's file after a restore: linked, and without sessions with anybody's devices."""

import hashlib
import json

from voiceagent.backup.settling import forget_sessions


def line(*puts: tuple[str, str, object]) -> bytes:
    body = json.dumps(puts, separators=(",", ":"), ensure_ascii=False)
    return f"{hashlib.sha1(body.encode()).hexdigest()[:8]} {body}\n".encode()  # noqa: S324


def test_sessions_are_taken_away_and_nothing_else() -> None:
    store = line(
        ("credentials", "creds", {"me": "דנה"}),
        ("signal_keys", "session/972541234567.0", {"old": 1}),
        ("signal_keys", "pre-key/7", {"kept": 1}),
    ) + line(("signal_keys", "session/120363.1", {"old": 2}), ("records", "session/x", {}))
    # However the file is cut into pieces.
    pieces = iter([store[at : at + 17] for at in range(0, len(store), 17)])
    assert forget_sessions(pieces) == line(
        ("signal_keys", "session/972541234567.0", None), ("signal_keys", "session/120363.1", None)
    )


def test_a_file_without_sessions_or_with_a_damaged_line_is_left_alone() -> None:
    assert forget_sessions(iter([line(("credentials", "creds", {}))])) == b""
    assert forget_sessions(iter([b"12345678 [[\n", b"half a li"])) == b""
    assert forget_sessions(iter([b"12345678 " + b"[" * 100_000 + b"\n"])) == b""
