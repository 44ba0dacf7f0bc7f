"""A brain that says one sentence to everything, to measure the service alone.

Chosen by `BENCH_ENGINES=1` only, never by default.
"""

from collections.abc import AsyncIterator, Sequence

from voiceagent.brain.ports import BrainEvent, CallerTurn, FixedPhrases, Say


class CannedBrain:
    """A `Brain` that answers every turn with one numbered sentence."""

    @property
    def phrases(self) -> FixedPhrases:
        return FixedPhrases(
            reprompts=("Bench reprompt one.", "Bench reprompt two."),
            goodbye="Bench goodbye.",
            apology="Bench apology.",
            busy="All lines are busy. Please call again in a few minutes.",
        )

    @property
    def language(self) -> str:
        return "en-US"

    def open(self, call_sid: str) -> "CannedDialogue":  # noqa: ARG002 - all calls are the same
        return CannedDialogue()


class CannedDialogue:
    """One call's canned brain."""

    def __init__(self) -> None:
        self._committed = 0
        self._replied = 0

    def opening(self) -> Sequence[BrainEvent]:
        """No greeting."""
        return ()

    async def reply(self, turn: CallerTurn) -> AsyncIterator[BrainEvent]:  # noqa: ARG002
        """One sentence, numbered so that no two of a call are the same."""
        self._replied = self._committed + 1
        yield Say(f"Bench reply {self._replied}.")

    def commit(self) -> None:
        self._committed = max(self._committed, self._replied)
