"""A brain that says one sentence to everything, to measure the service alone.

Chosen by `BENCH_ENGINES=1` only, never by default.
"""

from collections.abc import AsyncIterator, Sequence

from voiceagent.brain.ports import BrainEvent, CallerTurn, FixedPhrases, Party, Proposal, Say


class CannedBrain:
    """A `Brain` that answers every turn with one numbered sentence."""

    @property
    def phrases(self) -> FixedPhrases:
        return FixedPhrases(
            reprompts=("Bench reprompt one.", "Bench reprompt two."),
            nearly_over="Bench time nearly over.",
            goodbye="Bench goodbye.",
            apology="Bench apology.",
            cannot_hear="Bench cannot hear.",
            busy="All lines are busy. Please call again in a few minutes.",
            transfer="Bench transfer.",
            transfer_failed="Bench transfer failed.",
            recording="Bench calls are recorded.",
        )

    @property
    def language(self) -> str:
        return "en-US"

    def phrases_in(self, language: str) -> FixedPhrases:  # noqa: ARG002 - it has one language
        return self.phrases

    def open(self, party: Party) -> "CannedDialogue":  # noqa: ARG002 - all calls are the same
        return CannedDialogue()


class CannedDialogue:
    """One call's canned brain."""

    def __init__(self) -> None:
        self._counted = 0

    async def prepare(self) -> None:
        """There is nothing to know."""

    def opening(self) -> Sequence[BrainEvent]:
        """No greeting."""
        return ()

    def reply(self, turn: CallerTurn) -> Proposal:  # noqa: ARG002
        """One sentence, numbered so that no two of a call are the same."""
        number = self._counted + 1

        def commit() -> None:
            self._counted = max(self._counted, number)

        return Proposal(_one(Say(f"Bench reply {number}.")), commit)


async def _one(event: BrainEvent) -> AsyncIterator[BrainEvent]:
    yield event
