"""Does the model remember what the caller heard, and nothing else?

Requests to the model and what the telephone had played by then flow in; a sentence flows
out for each request whose history of the agent's words ends elsewhere. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.call.wording import normalise
from voiceagent.evals.evidence import HeardWord, ModelRequest

_COMPARED_WORDS: Final = 4
_WORDS_BEHIND: Final = 1
"""The history may end so many words before the last mark."""
_LOOK_MS: Final = 25.0
"""A mark is told at most so much after its audio was played."""


@dataclass(frozen=True, slots=True)
class Remembering:
    """One request, with what was heard before it."""

    request: ModelRequest
    heard: Sequence[HeardWord]
    """All that was heard in the call."""
    mark_ms: float
    """When the last mark came back that was played before it."""


def faults_of_memory(remembering: Sequence[Remembering]) -> list[str]:
    """What the model was told of the agent's words, and is not what was heard."""
    return list(dict.fromkeys(fault for each in remembering for fault in _faults(each)))


def _faults(each: Remembering) -> Iterator[str]:
    told = _last_words(each.request)
    if not told:
        return
    whole = [word for word in each.heard if word.is_whole]
    surely = _words(word for word in whole if word.end_ms <= each.mark_ms - _LOOK_MS)
    at_most = _words(word for word in whole if word.end_ms <= each.mark_ms)
    for end in range(len(at_most), max(0, len(surely) - _WORDS_BEHIND) - 1, -1):
        if _ends_with(at_most[:end], told):
            return
    yield (
        f'the model was told that the agent had said "… {" ".join(told[-8:])}";'
        f' heard by then: "… {" ".join(at_most[-8:])}"'
    )


def _ends_with(heard: Sequence[str], told: Sequence[str]) -> bool:
    compared = min(_COMPARED_WORDS, len(told))
    return list(heard[-compared:]) == list(told[-compared:])


def _words(words: Iterator[HeardWord]) -> list[str]:
    return normalise(" ".join(word.text for word in words)).split()


def _last_words(request: ModelRequest) -> list[str]:
    """The agent's words before the caller's newest ones, in the request's history; none when the
    answer to those is under way already: then more may have been heard."""
    *before, newest = request.messages
    if newest["role"] != "user" or not before or before[-1]["role"] == "tool":
        return []
    for message in reversed(before):
        if message["role"] == "assistant" and message.get("content"):
            return normalise(str(message["content"])).split()
    return []
