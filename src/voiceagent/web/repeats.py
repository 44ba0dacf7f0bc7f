"""Signed requests that were answered: the same one again is answered alike and does nothing.

Twilio's signature is over the address and every field, and has no time in it. So whoever has
overheard one can send it again, as Twilio itself does when an answer got lost. Signatures flow in,
what was answered flows out. Kept of a bounded number of requests, the last ones: what is older is
done again, which the records allow. Pure.
"""

from typing import Final

from voiceagent.recent import Recent

MOST: Final = 10_000
"""A thousand calls and more."""


class Repeats:
    """Of one process. An empty signature is nobody's: its requests are all new."""

    def __init__(self, most: int = MOST) -> None:
        self._answered: Recent[str, str] = Recent(most)

    def answer_to(self, signature: str) -> str | None:
        """What the same request was answered; None: it is new."""
        return self._answered.get(signature)

    def remember(self, signature: str, answer: str = "") -> None:
        """A request was answered, and whatever it asked for is done."""
        if signature:
            self._answered.put(signature, answer)
