"""What the session needs of the telephone company: to put a live call through, or to end it.

A call's sid goes in; the call itself is then on another way, and its media socket is
closed by the other side. Which company that is and how it is asked is the adapter's
concern (`twilio/rest.py`).
"""

from typing import Protocol


class CallControl(Protocol):
    """Acts on a call that is on the line. Both may be asked for again without harm."""

    async def transfer(self, call_sid: str, number: str) -> None:
        """Connect the caller to this E.164 number.

        Returns once the company has taken the order; the media socket then ends. A person
        who does not answer is told by a new media socket of the same call. Raises
        `ProviderError` when the call stays where it is.
        """

    async def hang_up(self, call_sid: str) -> None:
        """End the call; one that is over already is no error. Raises `ProviderError`."""
