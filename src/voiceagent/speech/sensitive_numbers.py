"""Numbers that nobody may keep: payment cards, the code on their back, identity numbers.

A text flows in, as somebody wrote it or a recogniser heard it; the same text flows out with these
hidden and every other character as it was. Telephone numbers, prices and account numbers stay. It
rather hides too much of what looks like a card than too little. Pure; linear in the text.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from voiceagent.speech.card_numbers import LONGEST_CARD, PRINTED, branded_end
from voiceagent.speech.digit_runs import Date, Group, Hidden, Part, Run, parts_of
from voiceagent.speech.number_names import card_goes_on
from voiceagent.speech.sensitive_runs import RunReader, Sensitive

_APART: Final = "\x1f"
"""Parts two numbers that are written as one: close to both, and of none."""


def hide(text: str, *, identities: bool = True) -> str:
    """The text without such numbers; the same again for what was hidden already. `identities`:
    identity numbers too."""
    found = find(text, identities=identities)
    if not found:
        return text
    pieces, behind = [], 0
    for one in found:
        pieces += [text[behind : one.start], one.shown]
        behind = one.end
    return "".join((*pieces, text[behind:]))


def find(text: str, *, identities: bool = True) -> Sequence[Sensitive]:
    """What `hide` hides, in its order."""
    parts = parts_of(text)
    cuts = [cut for part in parts if isinstance(part, Run) for cut in _ends_within(part.groups)]
    if cuts:
        pieces = [text[start:end] for start, end in pairwise((0, *cuts, len(text)))]
        apart = _APART.join(pieces)
        found = _find(apart, parts_of(apart), identities=identities)
    else:
        found = _find(text, parts, identities=identities)
    marks = [cut + nth for nth, cut in enumerate(cuts)]
    starts = {one.start - bisect_left(marks, one.start) for one in found}
    return [_back(one, text, marks, starts) for one in found]


def _find(text: str, parts: Sequence[Part], *, identities: bool) -> Sequence[Sensitive]:
    found: list[Sensitive] = []
    knows_card = follows_card = False
    for part in parts:
        match part:
            case Hidden(is_card):
                knows_card |= is_card
                follows_card = is_card
            case Date(before):
                follows_card &= card_goes_on(before)
            case Run(before=before):
                follows_card &= card_goes_on(before)
                reading = RunReader(text, part, follows_card=follows_card, knows_card=knows_card)
                found += reading.read(identities=identities)
                knows_card |= reading.knows_card
                follows_card = reading.code_may_follow
    return found


def _back(one: Sensitive, text: str, marks: Sequence[int], starts: Collection[int]) -> Sensitive:
    """Where it stands without what was put between. `marks`: where that is; `starts`: of all."""
    start = one.start - bisect_left(marks, one.start)
    end = one.end - bisect_left(marks, one.end)
    # Or the last that is shown would grow together with what follows.
    grows = end not in starts and text[end : end + 1].isdecimal()
    return replace(one, start=start, end=end, shown=f"{one.shown} " if grows else one.shown)


def _ends_within(groups: Sequence[Group]) -> Iterator[int]:
    """Where in the text a card ends that is written as one with what follows it."""
    for position, group in enumerate(groups):
        if len(group.digits) != group.end - group.start:
            continue  # said, not written
        at = 0
        for head in _heads(groups, position):
            end = branded_end(head + group.digits[:LONGEST_CARD])
            if end is not None and len(head) < end < len(head) + len(group.digits):
                at = end - len(head)
                yield group.start + at
                break
        while at and (end := branded_end(group.digits, at)) and end < len(group.digits):
            at = end
            yield group.start + at


def _heads(groups: Sequence[Group], position: int) -> Iterator[str]:
    """Digits close before this group with which a card may have begun."""
    yield ""
    for printed in PRINTED:
        first = position - len(printed)
        before = groups[max(0, first) : position]
        lengths = tuple(len(group.digits) for group in before)
        if lengths == printed and all(one.is_close for one in groups[first + 1 : position + 1]):
            yield "".join(group.digits for group in before)
