"""The connection to WhatsApp, as a sentence for the log, and what the owner must know."""

from typing import Any

import pytest

from voiceagent.whatsapp.session_events import SessionChange

PAIR = "run script/voiceagent whatsapp pair"


def change(state: Any, code: Any = None, text: Any = "", advice: Any = None) -> SessionChange:
    reason = {"code": code, "text": text} if code is not None or text else None
    return SessionChange.of({"state": state, "reason": reason, "advice": advice})


@pytest.mark.parametrize(
    ("told", "is_ordinary", "sentence"),
    [
        (change("open"), True, "WhatsApp is connected"),
        (change("waiting", 515, "restart (515)"), True, "WhatsApp: connecting again (515)"),
        (change("waiting", None, "lost (no code)"), True, "WhatsApp: connecting again"),
        (
            change("pairing", 401, "unlinked (401)", "Scan the QR code with the phone."),
            False,
            f"WhatsApp is not linked: {PAIR}",
        ),
        (
            change("logged_out", 401, "this device was unlinked (401)", "Scan the new QR code."),
            False,
            f"WhatsApp was unlinked: {PAIR} why='this device was unlinked (401)'",
        ),
        (
            change("stopped", 403, "banned (403)", "Look at it."),
            False,
            "WhatsApp: the sidecar has stopped why='banned (403)' do='Look at it.'",
        ),
        (change("dancing"), False, "WhatsApp: the sidecar is dancing"),
        (change(7, advice=3), False, "WhatsApp: the sidecar is ?"),
    ],
)
def test_it_is_one_sentence(told: SessionChange, is_ordinary: bool, sentence: str) -> None:
    assert (told.is_ordinary, told.sentence) == (is_ordinary, sentence)


@pytest.mark.parametrize(
    ("told", "wants_owner"),
    [
        (change("logged_out", 401, "this device was unlinked (401)"), True),
        (change("logged_out"), True),
        (change("logged_out", None, "logged out on request"), False),
        (change("failed", 500, "a bad session again and again (500)"), True),
        (change("stopped", 403, "banned (403)"), True),
        (change("stopped", 408, "nobody scanned the QR code"), False),
        (change("pairing", 401, "this device was unlinked (401)"), False),
        (change("waiting", 503, "lost"), False),
        (change("open"), False),
    ],
)
def test_the_owner_must_know_when_only_a_person_can_help(
    told: SessionChange, wants_owner: bool
) -> None:
    assert told.wants_owner is wants_owner


def test_nothing_of_it_is_more_than_the_database_can_hold() -> None:
    odd = SessionChange.of({"state": "fai\0led", "reason": {"code": "a\0b", "text": "\0"}})
    assert odd == SessionChange("fai\ufffdled", "a\ufffdb", "\ufffd", "")
