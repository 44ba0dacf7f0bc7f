"""What nobody may keep of what people write: hidden before a message is a record.

Records and voice notes put into words flow in; the same flow out with card and identity numbers
hidden, on their way to the recorder and the database. What a file shows or sounds like stays as
it is. A long text is looked over in a thread: calls go on meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from voiceagent.crm.recording.message_models import MessageChanged, MessageReceived, MessageRecord
from voiceagent.crm.recording.ports import DurableRecorder
from voiceagent.whatsapp.ports import Transcriber

Hide = Callable[[str], str]

AT_ONCE_CHARS: Final = 1_000
"""Looked over in the event loop: a millisecond of its time."""
_DEPTH: Final = 6
"""Of what is told beside a text; what lies deeper is not kept."""


def without_sensitive(record: MessageRecord, hide: Hide) -> MessageRecord:
    """The record as it may be kept."""
    match record:
        case MessageReceived():
            media = tuple(
                note.model_copy(update={"file_name": hide(note.file_name)}) for note in record.media
            )
            details = {name: _hidden(told, hide, _DEPTH) for name, told in record.details.items()}
            changes = {"media": media, "details": details}
            texts = {"text": hide(record.text), "name": hide(record.name)}
            return record.model_copy(update=changes | texts)
        case MessageChanged():
            return record.model_copy(update={"text": hide(record.text)})
        case _:
            return record


class DiscreetRecorder:
    """Implements `DurableRecorder`, before another one."""

    def __init__(self, recorder: DurableRecorder, hide: Hide) -> None:
        self._recorder = recorder
        self._hide = hide

    async def record_durably(self, record: MessageRecord) -> None:
        if _length(record) <= AT_ONCE_CHARS:
            discreet = without_sensitive(record, self._hide)
        else:
            discreet = await asyncio.to_thread(without_sensitive, record, self._hide)
        await self._recorder.record_durably(discreet)


class DiscreetTranscriber:
    """Implements `Transcriber`, behind another one."""

    def __init__(self, transcriber: Transcriber, hide: Hide) -> None:
        self._transcriber = transcriber
        self._hide = hide

    def takes(self, mime_type: str) -> bool:
        return self._transcriber.takes(mime_type)

    async def transcribe(self, audio: bytes, mime_type: str) -> str:
        transcript = await self._transcriber.transcribe(audio, mime_type)
        return await asyncio.to_thread(self._hide, transcript)


def _length(record: MessageRecord) -> int:
    match record:
        case MessageReceived(text=text, details=details):
            return len(text) + len(str(details))
        case MessageChanged(text=text):
            return len(text)
        case _:
            return 0


def _hidden(told: object, hide: Hide, depth: int) -> object:
    """What is told beside a text: the text that it answers, the name of a place."""
    match told:
        case str():
            return hide(told)
        case dict() if depth:
            return {name: _hidden(value, hide, depth - 1) for name, value in told.items()}
        case list() if depth:
            return [_hidden(value, hide, depth - 1) for value in told]
        case dict() | list():
            return None
        case _:
            return told
