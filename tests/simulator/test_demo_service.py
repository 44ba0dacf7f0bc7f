"""What a demonstration tells of the service that it starts."""

import pytest

from voiceagent.simulator.demo_service import warm_up_line


@pytest.mark.parametrize(
    ("warmed_up", "db", "line"),
    [
        (False, "err", "ws ok, db pending, stt pending, tts ok"),
        (True, "err", "ws ok, db err, stt pending, tts ok"),
        (False, "ok", "ws ok, db ok, stt pending, tts ok"),
    ],
)
def test_a_part_that_has_not_come_yet_is_no_fault(warmed_up: bool, db: str, line: str) -> None:
    state = {"ws": "ok", "db": db, "stt": "pending", "tts": "ok", "warmed_up": warmed_up}
    assert warm_up_line(state) == line


def test_an_answer_without_the_parts_is_shown_as_it_is() -> None:
    assert warm_up_line({"warmed_up": True}) == "ws ?, db ?, stt ?, tts ?"
