"""Numbers that nobody may keep, given in one call: hidden in words, in keys and on the tape."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_world import call
from warped_time import on_warped_time

from voiceagent.brain.ports import Say
from voiceagent.call.discretion import Discretion, Piece
from voiceagent.call.tape import Unrecorded
from voiceagent.speech.sensitive_numbers import find


@dataclass
class Heard:
    """What a call has kept of its caller, corrections included."""

    discretion: Discretion = field(default_factory=lambda: Discretion(find))
    kept: dict[int, str] = field(default_factory=dict)

    def say(self, text: str, asked: str = "") -> str:
        turn = len(self.kept) + 1
        taken = self.discretion.take(Piece(turn, text, 0.0, 100.0), asked)
        for _, now in taken.corrected:
            self.kept[now.turn] = now.shown
        self.kept[turn] = taken.piece.shown
        return taken.piece.shown


def kept(*said: str | tuple[str, str]) -> list[str]:
    """What is left of what a caller says, each with what was asked before."""
    heard = Heard()
    for one in said:
        heard.say(*((one,) if isinstance(one, str) else one[::-1]))
    return list(heard.kept.values())


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (["4242 4242", "4242 4242"], ["••••", "•••• 4242"]),
        (["my card is 4242", "4242", "4242", "4242 thanks"],
         ["my card is ••••", "••••", "••••", "•••• 4242 thanks"]),
        (["four two four two four two four two", "and then four two four two four two four two"],
         ["••••", "•••• 4242"]),
        (["ארבע שתיים " * 4, "ארבע שתיים " * 4], ["••••", "•••• 4242 "]),
        (["4242424242424242", "123"], ["•••• 4242", "•••"]),
        ([("Your card?", "4242424242424242"), ("Thank you.", "exp 12/27"), ("Yes?", "123")],
         ["•••• 4242", "exp 12/27", "•••"]),
        (["4242424242424242", ("Thank you.", "12/27. "), ("Yes?", "123")],
         ["•••• 4242", "12/27. ", "•••"]),
        (["4242424242424242", ("Thank you.", "2027/1"), ("Yes?", "123")],
         ["•••• 4242", "2027/1", "•••"]),
        ([("Your card?", "4242 4242 4242"), ("Yes?", "424212/27"), ("Yes?", "אחת שתיים שלוש")],
         ["••••", "•••• 4242 12/27", "•••"]),
        ([("When?", "at 12:30"), ("How many?", "350"), ("Yes?", "123")],
         ["at 12:30", "350", "123"]),
        (["4242424242424242", ("And the security code?", "it is 123")], ["•••• 4242", "it is •••"]),
        ([("What is your ID number?", "123456789")], ["•••••••••"]),
        ([("מה מספר תעודת הזהות?", "12345 678")], ["•••••••••"]),
        (["my ID number is", "123456789"], ["my ID number is", "•••••••••"]),
        ([("What is your phone number?", "050 123"), "4567"], ["050 123", "4567"]),
        ([("Your phone number?", "0501234567"), ("And your ID number?", "123456782")],
         ["0501234567", "•••••••••"]),
        ([("Your order's number, please?", "123456782")], ["123456782"]),
        (["4242424242424242 and 5555555555554444"], ["•••• 4242 and •••• 4444"]),
        (["exp 12/27 card 4242 4242", "4242 4242"], ["exp 12/27 card ••••", "•••• 4242"]),
        (["4242 4242", "4242 4242 until 12/27"], ["••••", "•••• 4242 until 12/27"]),
        (["3 rooms", ("How much?", "4500"), ("When?", "2026")], ["3 rooms", "4500", "2026"]),
    ],
)  # fmt: skip
def test_what_is_left_of_what_a_caller_says(
    said: list[str | tuple[str, str]], left: list[str]
) -> None:
    assert kept(*said) == left


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["4242424242424242", "5555555555554444", "378282246310005"]),
    st.lists(st.integers(1, 14), min_size=1, max_size=6, unique=True),
)
def test_a_card_in_any_pieces_leaves_its_last_four(number: str, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(number)]
    left = kept(*(number[start:end] for start, end in pairwise(at)))
    digits = "".join(sign for text in left for sign in text if sign.isdigit())
    assert digits in (number[-4:], "")


def test_what_is_shown_is_what_will_be_kept() -> None:
    heard = Heard()
    assert heard.discretion.shown("4242 4242") == "4242 4242"
    heard.say("4242 4242")
    assert heard.discretion.shown("4242 4242") == "•••• 4242"
    heard.say("4242 4242")
    assert "4242 4242" not in heard.discretion.shown("4242 4242 4242 4242")
    assert heard.discretion.shown("a flat with four rooms") == "a flat with four rooms"


# --- whole calls ----------------------------------------------------------------------------------


class Tape(Unrecorded):
    def __init__(self) -> None:
        self.silenced: list[tuple[float, float]] = []

    def silence(self, from_ms: float, to_ms: float) -> None:
        self.silenced.append((from_ms, to_ms))


@on_warped_time
async def test_neither_the_brain_nor_the_record_is_told_a_card() -> None:
    tape = Tape()
    async with call([[Say("one")], [Say("two")]], record=lambda _: tape) as c:
        await c.until_quiet()
        await c.say("my card is 4242 4242")
        await c.until_quiet()
        assert tape.silenced == []
        await c.say("4242 4242")
        await c.until_quiet()
        await c.say("thank you")
        await c.until_quiet()
        c.phone.stop()
    assert [turn.text for turn in c.turns if turn.who == "caller"] == [
        "my card is ••••",
        "•••• 4242",
        "thank you",
    ]
    assert [turn.text for turn in c.brain.turns][1:] == ["•••• 4242", "thank you"]
    said = [one.text for one in c.brain.turns[-1].history if one.who == "caller"]
    assert said == ["my card is ••••", "•••• 4242", "thank you"]
    # Both utterances, each with what is around it.
    (first, second) = tape.silenced
    assert second[1] - second[0] > 1_000
    assert first[1] - first[0] > 1_000


@on_warped_time
async def test_keys_of_a_card_are_kept_from_all_and_off_the_tape() -> None:
    tape = Tape()
    async with call([[Say("one")]], record=lambda _: tape) as c:
        await c.until_quiet()
        c.phone.press("4242424242424242")
        await c.until_quiet()
        c.phone.stop()
    assert c.brain.turns[-1].digits == "•••• 4242"
    assert [turn.text for turn in c.turns if turn.who == "caller"] == ["•••• 4242"]
    ((start, end),) = tape.silenced
    assert end - start > 1_000


@on_warped_time
async def test_a_call_that_breaks_off_in_a_number_keeps_none_of_it() -> None:
    tape = Tape()
    async with call([], record=lambda _: tape) as c:
        await c.until_quiet()
        c.ears.texts.append("my card is 4242 4242 4242 4242")
        await c.phone.voice(600)
        await c.until(lambda: c.session.glimpse.hearing)
        assert c.session.glimpse.hearing == "my card is •••• 4242"
        c.phone.stop()
    assert tape.silenced
