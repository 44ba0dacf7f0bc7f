"""What was said in one call, and what of it was heard.

Sentences and heard positions go in; the history that the brain may rely on comes
out. It holds only words that really reached the caller. Nothing is said twice for
no reason: the introduction comes once, a repeated sentence is held back. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from voiceagent.brain.ports import Exchange
from voiceagent.call import wording
from voiceagent.speech.ports import WordTiming

_MS_PER_CHARACTER: Final = 65.0
"""Speaking rate where an engine tells no word timings and the sentence's length is not known yet:
about 160 words a minute."""
_HISTORY_LIMIT: Final = 400
"""Exchanges kept; the oldest are forgotten first. A call of an hour has fewer."""


@dataclass(slots=True)
class _Sentence:
    text: str
    start_ms: float
    end_ms: float | None = None
    words: list[WordTiming] = field(default_factory=list)

    def word_starts(self) -> list[tuple[int, float]]:
        """Each word's first character and when it begins, in ms of the reply's audio."""
        if self.words:
            return [(word.char_start, self.start_ms + word.start_ms) for word in self.words]
        length_ms = (
            self.end_ms - self.start_ms
            if self.end_ms is not None
            else len(self.text) * _MS_PER_CHARACTER
        )
        starts = [0] + [i + 1 for i, char in enumerate(self.text) if char.isspace()]
        return [(i, self.start_ms + length_ms * i / max(1, len(self.text))) for i in starts]


@dataclass(slots=True)
class _Reply:
    introduction: bool = False
    sentences: list[_Sentence] = field(default_factory=list)
    admitted: list[str] = field(default_factory=list)
    """Normalised."""
    held_back: list[str] = field(default_factory=list)


class Conversation:
    """The memory of one call. Positions are ms of a reply's audio."""

    def __init__(self) -> None:
        self._history: list[Exchange] = []
        self._replies: dict[int, _Reply] = {}
        self._introduction: frozenset[str] = frozenset()
        self._last_heard: tuple[str, ...] = ()
        """The sentences of the last reply that were heard to their end, normalised."""
        self._caller = ""
        self._asked_again = False
        """The caller has just said the same as before: the same answer is right."""

    @property
    def history(self) -> Sequence[Exchange]:
        """Oldest first; the agent's words only as far as they were heard."""
        return tuple(self._history)

    def caller_said(self, text: str) -> None:
        if text:
            plain = wording.normalise(text)
            self._asked_again, self._caller = plain == self._caller, plain
            self._remember(Exchange("caller", text))

    @property
    def last(self) -> Exchange | None:
        """What was said last; None: nothing was."""
        return self._history[-1] if self._history else None

    def caller_had_said(self, text: str, shown: str) -> None:
        """What the caller said with these words, the last time, is remembered as others."""
        for position in range(len(self._history) - 1, -1, -1):
            if self._history[position] == Exchange("caller", text):
                self._history[position] = Exchange("caller", shown)
                return

    def supposing(self, text: str, reply: int, heard_ms: float) -> Sequence[Exchange]:
        """The history as it will be if the caller has said this and the reply under way is given
        up, of which so much was heard."""
        heard = self.heard(reply, heard_ms)
        cut = (Exchange("agent", heard, cut=heard != self.text(reply)),) if heard else ()
        return (*self._history, *cut, Exchange("caller", text))

    # --- what the agent is about to say -----------------------------------------------------

    def admit(self, reply: int, text: str, *, introduction: bool = False) -> bool:
        """Whether to say this sentence; a repetition is held back (see `held_back`).

        A repetition is a sentence twice in one reply, a statement of the introduction that
        was heard, or a reply that begins as the last one did, word for word, though the
        caller has said something else.
        """
        state = self._replies.setdefault(reply, _Reply(introduction=introduction))
        plain = wording.normalise(text)
        if not plain:
            return False
        if (
            plain in state.admitted
            or (plain in self._introduction and not introduction)
            # A question may be asked again.
            or (not text.rstrip().endswith("?") and self._goes_like_the_last(state, plain))
        ):
            state.held_back.append(text)
            return False
        state.admitted.append(plain)
        return True

    def _goes_like_the_last(self, state: _Reply, plain: str) -> bool:
        position = len(state.held_back)
        return (
            not state.admitted
            and not self._asked_again
            and position < len(self._last_heard)
            and plain == self._last_heard[position]
        )

    def held_back(self, reply: int) -> list[str]:
        """Repetitions that must be said after all: the reply has nothing else to say."""
        state = self._replies.get(reply)
        if state is None or state.admitted:
            return []
        # The last of them: a reply that is all repetition is best cut to its point.
        texts, state.held_back = state.held_back[-1:], []
        state.admitted += [wording.normalise(text) for text in texts]
        return texts

    # --- what is being said -----------------------------------------------------------------

    def sentence_begins(self, reply: int, text: str, at_ms: float) -> None:
        self._replies.setdefault(reply, _Reply()).sentences.append(_Sentence(text, at_ms))

    def words_known(self, reply: int, words: Sequence[WordTiming]) -> None:
        """Timings of the sentence that began last."""
        self._replies[reply].sentences[-1].words += words

    def sentence_ends(self, reply: int, at_ms: float) -> None:
        self._replies[reply].sentences[-1].end_ms = at_ms

    def sentence_breaks(self, reply: int, at_ms: float) -> None:
        """The sentence that began last ends here: its words from here on are never said."""
        sentences = self._replies[reply].sentences
        broken = sentences[-1]
        begun = [char for char, start_ms in broken.word_starts() if start_ms < at_ms]
        if not begun:
            sentences.pop()
            return
        last_word = broken.text[begun[-1] :].split(maxsplit=1)[0]
        broken.text = broken.text[: begun[-1]] + last_word
        broken.words = [word for word in broken.words if word.char_start <= begun[-1]]
        broken.end_ms = at_ms

    def text(self, reply: int) -> str:
        """All that was to be said so far."""
        state = self._replies.get(reply)
        return " ".join(sentence.text for sentence in state.sentences) if state else ""

    def heard(self, reply: int, heard_ms: float) -> str:
        """The words of the reply that were heard to their end."""
        state = self._replies.get(reply)
        if state is None:
            return ""
        parts: list[str] = []
        for sentence in state.sentences:
            if sentence.end_ms is not None and sentence.end_ms <= heard_ms:
                parts.append(sentence.text)
                continue
            starts = sentence.word_starts()
            # A word was heard when the next one had begun.
            cut = [char for char, start_ms in starts[1:] if start_ms <= heard_ms]
            if cut:
                parts.append(sentence.text[: cut[-1]].rstrip())
            break
        return " ".join(parts)

    def first_unheard_ms(self, reply: int, heard_ms: float) -> float:
        """Where the first word begins that was not heard to its end."""
        state = self._replies.get(reply)
        for sentence in state.sentences if state else ():
            if sentence.end_ms is not None and sentence.end_ms <= heard_ms:
                continue
            begun = [start_ms for _, start_ms in sentence.word_starts() if start_ms <= heard_ms]
            return begun[-1] if begun else sentence.start_ms
        return heard_ms

    def settle(self, reply: int, heard_ms: float | None) -> Exchange | None:
        """The reply is over (`heard_ms` None: all of it was heard); returns what is remembered."""
        text = self.text(reply)
        heard = text if heard_ms is None else self.heard(reply, heard_ms)
        state = self._replies.pop(reply, None)
        if state is None or not heard:
            return None
        whole = [
            sentence.text
            for sentence in state.sentences
            if heard_ms is None or (sentence.end_ms is not None and sentence.end_ms <= heard_ms)
        ]
        self._last_heard = tuple(wording.normalise(sentence) for sentence in whole)
        if state.introduction:
            self._introduction = frozenset(
                wording.normalise(sentence)
                for sentence in whole
                if not sentence.rstrip().endswith("?")
            )
        exchange = Exchange("agent", heard, cut=heard != text)
        self._remember(exchange)
        return exchange

    def _remember(self, exchange: Exchange) -> None:
        self._history.append(exchange)
        del self._history[:-_HISTORY_LIMIT]
