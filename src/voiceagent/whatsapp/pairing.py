"""`voiceagent whatsapp`: how the session stands, linking a phone, unlinking it.

The sidecar's session flows in, lines on a terminal and an exit code flow out. A code is drawn
again when the sidecar has a new one; every wait ends by a deadline.
"""

import asyncio
import shutil
import sys
from typing import Final, TextIO

from voiceagent.errors import ProviderError
from voiceagent.whatsapp.qr_blocks import COLOURS, half_blocks
from voiceagent.whatsapp.session_state import Session, in_words, what_to_do
from voiceagent.whatsapp.sidecar_session import SidecarAway, SidecarSession

PAIR_DEADLINE_S: Final = 600.0
"""Longer than the five rounds of codes after which the sidecar stops."""
LOGOUT_DEADLINE_S: Final = 20.0
RESTART_CODE: Final = 515
"""With what WhatsApp closes the connection after every pairing."""
_POLL_S: Final = 0.5
_AWAY_S: Final = 15.0
"""How long a sidecar may be away while somebody pairs: it may be restarted."""

_HOW_TO_SCAN: Final = "On the phone: WhatsApp, Settings, Linked devices, Link a device."
_HOW_TO_TYPE: Final = (
    "On the phone: WhatsApp, Settings, Linked devices, Link a device,"
    " Link with phone number instead."
)


class PairingTerminal:
    """Prints lines, and replaces what it has printed last where the terminal can do that."""

    def __init__(self, stream: TextIO | None = None, *, colour: bool | None = None) -> None:
        """`colour`: None for whatever the stream can do."""
        self._stream = stream or sys.stdout
        self._can_redraw = self._stream.isatty()
        self._colours = COLOURS if (self._can_redraw if colour is None else colour) else ("", "")
        self._height = 0
        """Lines of the code that is shown, and that may be replaced."""
        self._last = ""

    def say(self, sentence: str) -> None:
        """One line, unless it was the last one already."""
        if sentence != self._last:
            self._last = sentence
            self._height = 0
            self._print([sentence])

    def show_code(self, rows: tuple[str, ...]) -> None:
        """Draw a QR code, in the place of the last one."""
        size = shutil.get_terminal_size()
        drawn = half_blocks(rows)
        if self._can_redraw and size.columns < len(drawn[0]):
            self.say(
                f"The code needs {len(drawn[0])} columns and the terminal has {size.columns}:"
                " widen it, or use --phone +972…"
            )
            return
        before, after = self._colours
        lines = [f"{before}{line}{after}" for line in drawn]
        lines += [_HOW_TO_SCAN, "The code is renewed here by itself; Ctrl-C ends this."]
        if self._can_redraw and 0 < self._height < size.lines:
            self._stream.write(f"\033[{self._height}A\033[J")
        self._print(lines)
        self._height = len(lines)
        self._last = ""

    def _print(self, lines: list[str]) -> None:
        print("\n".join(lines), file=self._stream, flush=True)


async def tell_status(sidecar: SidecarSession, terminal: PairingTerminal) -> bool:
    """Say how it stands and what to do; whether it is open. Raises `ProviderError`."""
    session = await sidecar.state()
    for sentence in in_words(session):
        terminal.say(sentence)
    advice = what_to_do(session)
    if advice is not None:
        terminal.say(f"What to do: {advice}")
    return session.state == "open"


async def pair(sidecar: SidecarSession, terminal: PairingTerminal, phone: str | None) -> bool:
    """Link a phone: by its QR code, or by a code for that number to type there.

    Whether it is linked in the end. Raises `ProviderError` when the sidecar cannot be asked.
    """
    session = await sidecar.state()
    if session.state == "open":
        terminal.say(
            f"linked already: {_number(session)}. To change it: script/voiceagent whatsapp logout"
        )
        return True
    if session.wants_a_start:
        session = await sidecar.start()
    pairing = (
        _ByScanning(sidecar, terminal) if phone is None else _ByTyping(sidecar, terminal, phone)
    )
    try:
        async with asyncio.timeout(PAIR_DEADLINE_S):
            return await _until_linked(session, sidecar, terminal, pairing)
    except TimeoutError:
        terminal.say(f"not linked after {PAIR_DEADLINE_S / 60:.0f} minutes; ask for it again")
        return False


async def log_out(sidecar: SidecarSession, terminal: PairingTerminal) -> bool:
    """Unlink the phone; whether that is done. Raises `ProviderError`."""
    session = await sidecar.logout()
    try:
        async with asyncio.timeout(LOGOUT_DEADLINE_S):
            while session.state != "logged_out":
                await asyncio.sleep(_POLL_S)
                session = await sidecar.state()
    except TimeoutError:
        terminal.say(f"asked for, but the sidecar is still {session.state}: look again later")
        return False
    terminal.say("unlinked. To link a phone again: script/voiceagent whatsapp pair")
    return True


async def _until_linked(
    session: Session,
    sidecar: SidecarSession,
    terminal: PairingTerminal,
    pairing: "_ByScanning | _ByTyping",
) -> bool:
    loop = asyncio.get_running_loop()
    away_since_s: float | None = None
    while session.state != "open":
        if session.wants_a_start and session.reason is not None:
            # It gave up by itself while we looked on: nobody scanned, or WhatsApp refuses.
            for sentence in in_words(session):
                terminal.say(sentence)
            terminal.say(f"What to do: {what_to_do(session)}")
            return False
        try:
            if session.state == "pairing":
                await pairing.show(session)
            elif session.state == "waiting" and pairing.shown:
                terminal.say(_between_connections(session))
            elif session.state != "connecting":
                terminal.say(in_words(session)[0])
            await asyncio.sleep(_POLL_S)
            session = await sidecar.state()
            away_since_s = None
        except SidecarAway:
            away_since_s = away_since_s or loop.time()
            if loop.time() - away_since_s > _AWAY_S:
                raise
            terminal.say("The sidecar does not answer; waiting for it.")
            await asyncio.sleep(_POLL_S)
    terminal.say(f"linked: {_number(session)}")
    return True


class _ByScanning:
    """Shows each code that the sidecar has."""

    def __init__(self, sidecar: SidecarSession, terminal: PairingTerminal) -> None:
        self._sidecar = sidecar
        self._terminal = terminal
        self._last: str | None = None

    @property
    def shown(self) -> bool:
        return self._last is not None

    async def show(self, _session: Session) -> None:
        code = await self._sidecar.qr_code()
        if code is not None and code.qr != self._last:
            self._last = code.qr
            self._terminal.show_code(code.rows)


class _ByTyping:
    """Asks for one code in each connection: it dies with it."""

    def __init__(self, sidecar: SidecarSession, terminal: PairingTerminal, phone: str) -> None:
        self._sidecar = sidecar
        self._terminal = terminal
        self._phone = phone
        self._asked_in: str | None = None

    @property
    def shown(self) -> bool:
        return self._asked_in is not None

    async def show(self, session: Session) -> None:
        if session.since == self._asked_in:
            return
        try:
            code = await self._sidecar.pairing_code(self._phone)
        except SidecarAway:
            raise
        except ProviderError as error:
            if not error.retryable:
                raise
            return
        self._asked_in = session.since
        self._terminal.say(_HOW_TO_TYPE)
        self._terminal.say(f"The code for {self._phone}:  {code[:4]}-{code[4:]}")


def _between_connections(session: Session) -> str:
    taken = session.reason is not None and session.reason.code == RESTART_CODE
    return (
        "The phone has taken the code; connecting."
        if taken
        else "The connection is renewed; a new code follows."
    )


def _number(session: Session) -> str:
    account = session.account
    return (account.phone if account is not None else None) or "the number is not known yet"
