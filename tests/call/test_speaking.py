"""The phrases that are synthesised ahead of time."""

from collections.abc import AsyncIterator, Sequence

import pytest

from voiceagent.call.speaking import PhraseBook
from voiceagent.errors import ProviderError
from voiceagent.speech.ports import SpeechChunk

GREETING, LANGUAGE = "Good morning.", "en-US"


class Engine:
    """Speaks its own name, or fails."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.works = True
        self.sentences = 0

    async def warm_up(self) -> None: ...

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        self.sentences += 1
        if not self.works:
            raise ProviderError("down", retryable=True)
        yield SpeechChunk(f"{self.name}: {text}".encode())

    async def close(self) -> None: ...


class Shelf:
    """A store in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], tuple[SpeechChunk, ...]] = {}

    async def load(self, text: str, language: str) -> tuple[SpeechChunk, ...] | None:
        return self.kept.get((text, language))

    async def save(self, text: str, language: str, chunks: Sequence[SpeechChunk]) -> None:
        self.kept[text, language] = tuple(chunks)


def heard(book: PhraseBook) -> str | None:
    chunks = book.chunks(GREETING)
    return None if chunks is None else b"".join(chunk.ulaw for chunk in chunks).decode()


async def test_a_phrase_is_synthesised_once() -> None:
    book, engine = PhraseBook(), Engine("first")
    for _ in range(3):
        await book.learn(engine, GREETING, LANGUAGE)
    assert engine.sentences == 1
    assert heard(book) == "first: Good morning."


async def test_a_restart_needs_no_engine_for_what_was_learnt() -> None:
    shelf, engine = Shelf(), Engine("first")
    await PhraseBook(shelf).learn(engine, GREETING, LANGUAGE)
    engine.works = False
    restarted = PhraseBook(shelf)
    assert await restarted.recall(GREETING, LANGUAGE)
    assert heard(restarted) == "first: Good morning."
    await restarted.learn(engine, GREETING, LANGUAGE)
    assert engine.sentences == 1


async def test_an_unknown_phrase_cannot_be_recalled() -> None:
    for book in (PhraseBook(), PhraseBook(Shelf())):
        assert not await book.recall(GREETING, LANGUAGE)
        assert heard(book) is None


async def test_a_stand_in_speaks_until_the_engine_is_back_and_is_never_stored() -> None:
    shelf, first, second = Shelf(), Engine("first"), Engine("second")
    book = PhraseBook(shelf)
    first.works = False
    with pytest.raises(ProviderError):
        await book.learn(first, GREETING, LANGUAGE)
    await book.learn_meanwhile(second, GREETING, LANGUAGE)
    assert (heard(book), book.stand_ins, shelf.kept) == ("second: Good morning.", 1, {})
    with pytest.raises(ProviderError):
        await book.learn(first, GREETING, LANGUAGE)
    assert heard(book) == "second: Good morning."

    first.works = True
    await book.learn(first, GREETING, LANGUAGE)
    assert (heard(book), book.stand_ins) == ("first: Good morning.", 0)
    assert list(shelf.kept) == [(GREETING, LANGUAGE)]


async def test_a_stand_in_takes_no_learnt_phrase_s_place() -> None:
    book = PhraseBook()
    await book.learn(Engine("first"), GREETING, LANGUAGE)
    await book.learn_meanwhile(Engine("second"), GREETING, LANGUAGE)
    assert (heard(book), book.stand_ins) == ("first: Good morning.", 0)
