"""How many tokens a model has read and written, about: from the characters.

A request or a text flows in, a number flows out. Pure. Servers count in their own ways, and not
all of them say; three characters a token lies between English (four) and Hebrew (two).
"""

from collections.abc import Mapping
from typing import Final

from voiceagent.brain.chat import ChatRequest

CHARS_A_TOKEN: Final = 3


def tokens_of_chars(chars: int) -> int:
    """Rounded up."""
    return -(-chars // CHARS_A_TOKEN)


def tokens_asked(request: ChatRequest) -> int:
    """Of all that the model is given to read: the messages and the tools."""
    return tokens_of_chars(sum(_chars(part) for part in (*request.messages, *request.tools)))


def _chars(part: Mapping[str, object]) -> int:
    return sum(
        len(value) if isinstance(value, str) else len(repr(value)) for value in part.values()
    )
