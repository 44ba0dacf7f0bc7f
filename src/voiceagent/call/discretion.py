"""What nobody may keep of a caller's words, hidden before anybody is given them.

Utterances flow in as they were heard or keyed, each with what the agent had said before it; the
words that may be kept and shown flow out. A number that a caller gives in several utterances is
hidden in all of them as soon as it is known for what it is. The words themselves are remembered
here only, for as long as the number may go on. Pure; times are audio time in ms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from voiceagent.speech.digit_runs import FILLERS, MASK, Date, Run, parts_of
from voiceagent.speech.number_names import card_goes_on, names_a_number
from voiceagent.speech.sensitive_runs import Sensitive

Find = Callable[[str], Sequence[Sensitive]]

_MOST_PIECES: Final = 10
"""Of one number: whoever says two digits at a time has said a card's by then."""
_LONGEST_PIECE: Final = 1_000
"""Letters; what is longer is no piece of a number."""
_CONTEXT: Final = 200
"""Letters of what the agent said last."""
_STOPS: Final = " .,"
"""May stand behind the last digit of an utterance."""
_BETWEEN: Final = "\x1f"
"""Between two utterances; digits go on across it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance."""

    turn: int
    text: str
    """As it was heard."""
    started_ms: float
    ended_ms: float
    hidden: str | None = None
    """As it may be kept; None: as it is."""

    @property
    def hides(self) -> bool:
        """Whether there is something in it that is not shown."""
        return self.hidden is not None

    @property
    def shown(self) -> str:
        """As it may be kept."""
        return self.text if self.hidden is None else self.hidden


@dataclass(frozen=True, slots=True)
class Taken:
    """An utterance that may be kept, and what follows for earlier ones."""

    piece: Piece
    corrected: tuple[tuple[Piece, Piece], ...]
    """Earlier ones in which more is to be hidden than was: as they were, and as they are."""


class Discretion:
    """One call's."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._pieces: tuple[Piece, ...] = ()
        """Utterances of which the last digits may belong together, the newest last."""
        self._context = ""
        """What was said before the first of them."""
        self._card = ""
        """The last card that was hidden, as it is shown."""

    def take(self, piece: Piece, asked: str) -> Taken:
        """The caller has said or keyed this. `asked`: the agent's last words before it."""
        context, before = self._before(piece.text, asked)
        *earlier, newest = self._looked_over(context, (*before, piece))
        self._context, self._pieces = context, (*earlier, newest)[-_MOST_PIECES:]
        if (at := newest.shown.rfind(MASK * 4 + " ")) >= 0:
            self._card = newest.shown[at : at + 9]
        changed = [pair for pair in zip(before, earlier, strict=True) if pair[0] != pair[1]]
        return Taken(newest, tuple(changed))

    def shown(self, text: str, asked: str = "") -> str:
        """The same words as they may be shown, whether they were taken already or not."""
        for piece in self._pieces:
            if piece.hides:
                text = text.replace(piece.text, piece.shown)
        context, before = self._before(text, asked)
        return self._looked_over(context, (*before, Piece(0, text, 0.0, 0.0)))[-1].shown

    def _before(self, text: str, asked: str) -> tuple[str, tuple[Piece, ...]]:
        """What to read a text with: the words before it, and the utterances that it goes on."""
        names = names_a_number(asked)
        if self._pieces and not names and _goes_on(self._pieces[-1].text, text):
            return self._context, self._pieces
        told = self._pieces[-1].text if self._pieces and not names else ""
        context = "" if len(told) > _LONGEST_PIECE or any(map(str.isdecimal, told)) else told
        return _BETWEEN.join((self._card, context, asked[-_CONTEXT:])), ()

    def _looked_over(self, context: str, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """The pieces, with what is to be shown of each."""
        texts = [context, *(piece.text for piece in pieces)]
        found = self._find(_BETWEEN.join(texts))
        looked_over, start = [], len(context) + 1
        for piece in pieces:
            shown = _shown(piece.text, start, found)
            looked_over.append(replace(piece, hidden=None if shown == piece.text else shown))
            start += len(piece.text) + 1
        return looked_over


def _shown(text: str, offset: int, found: Sequence[Sensitive]) -> str:
    """A text that stands at `offset` of what was searched. What ends in a later one tells its last
    digits there."""
    parts, behind = [], 0
    for one in found:
        start, end = max(0, one.start - offset), one.end - offset
        if end <= 0 or start >= len(text):
            continue
        hidden = one.shown if end <= len(text) else MASK * 4
        parts += [text[behind:start], hidden]
        behind = min(end, len(text))
    return "".join((*parts, text[behind:]))


def _goes_on(before: str, text: str) -> bool:
    """Whether the digits at the end of one may go on at the beginning of the other."""
    if max(len(before), len(text)) > _LONGEST_PIECE:
        return False
    ends, begins = parts_of(before)[-1:], parts_of(text)[:1]
    match (*ends, *begins):
        case (Run(after=after), Run(before=leading)):
            return not after and FILLERS.issuperset(leading)
        case (Run() | Date(), Run(before=leading) | Date(before=leading)):
            # Between a card and its code there may be its last month, which is no number's part.
            return before.rstrip(_STOPS)[-1:].isdecimal() and card_goes_on(leading)
        case _:
            return False
