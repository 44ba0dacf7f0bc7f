"""What a call tells whoever records it, and the notice that comes before.

The seam between the session and `recordings/`: nothing of it makes the call wait. A call is
recorded from the moment the notice begins, and the recording is kept only if the caller has
heard the notice to its end. Pure.
"""

from typing import Final, Protocol

MOST_NOTICES: Final = 2
"""Whoever talks over the notice is told once more, with the next answer; then not again."""


class Tape(Protocol):
    """Takes one call's sound. No method waits or raises."""

    def begin(self, offset_ms: float) -> None:
        """What comes from now on is kept; the call has lasted so long."""

    def caller(self, ulaw: bytes) -> None:
        """20 ms came from the phone."""

    def agent(self, ulaw: bytes) -> None:
        """20 ms went to the phone."""

    def mark(self, name: str) -> None:
        """A mark went to the phone."""

    def mark_came(self, name: str) -> None:
        """The phone returned a mark."""

    def cleared(self) -> None:
        """The phone was told to throw away what it had not played."""

    def silence(self, from_ms: float, to_ms: float) -> None:
        """Nothing is kept of what the caller said in this stretch of audio time."""

    def notice_heard(self) -> None:
        """The recording may be kept."""

    def give_up(self) -> None:
        """Nothing may be kept."""

    def close(self) -> None:
        """The call is over."""


class Unrecorded:
    """The tape of a call that is not recorded."""

    def begin(self, offset_ms: float) -> None: ...
    def caller(self, ulaw: bytes) -> None: ...
    def agent(self, ulaw: bytes) -> None: ...
    def mark(self, name: str) -> None: ...
    def mark_came(self, name: str) -> None: ...
    def cleared(self) -> None: ...
    def silence(self, from_ms: float, to_ms: float) -> None: ...
    def notice_heard(self) -> None: ...
    def give_up(self) -> None: ...
    def close(self) -> None: ...


class RecordingNotice:
    """Tells the caller of the recording: when it is due, and what became of it."""

    def __init__(self, tape: Tape | None) -> None:
        """None: the call is not recorded, and nothing is due."""
        self._tape = tape or Unrecorded()
        self._reply: int | None = None
        """In which it is said."""
        self._text = ""
        self._begun: set[int] = set()
        """Replies that began with it and were played; one may be stopped and go on."""
        self._is_settled = tape is None

    def is_due(self, reply: int) -> bool:
        """Whether this reply is to begin with it."""
        return not self._is_settled and reply != self._reply

    def comes(self, reply: int, text: str) -> None:
        """This reply begins with it, in these words."""
        self._reply, self._text = reply, text

    def frames_begin(self, reply: int, now_ms: float) -> None:
        """The reply begins to be played."""
        if self.is_awaited(reply):
            if not self._begun:
                self._tape.begin(now_ms)
            self._begun.add(reply)

    def is_awaited(self, reply: int) -> bool:
        """Whether it matters how much of this reply is heard."""
        return not self._is_settled and reply == self._reply

    def heard(self, reply: int, text: str) -> None:
        """So much of the reply has been heard."""
        if self.is_awaited(reply) and text.startswith(self._text):
            self._is_settled = True
            self._tape.notice_heard()

    def reply_over(self, reply: int, text: str) -> None:
        """The reply has ended; this was heard of it."""
        self.heard(reply, text)
        if self.is_awaited(reply) and len(self._begun) >= MOST_NOTICES:
            self._is_settled = True
            self._tape.give_up()
