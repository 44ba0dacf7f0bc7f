"""Phrases on disk."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceagent.speech.phrase_cache import PhraseCache, PhraseShelf
from voiceagent.speech.ports import SpeechChunk, WordTiming

GREETING, LANGUAGE = "שלום, מדברים מסוכנות הבית.", "he-IL"
SPOKEN = (
    SpeechChunk(b"\x10\x90\n" * 500, (WordTiming(0, 12.5), WordTiming(6, 400.0))),
    SpeechChunk(b"", ()),
    SpeechChunk(b"\xff" * 333, (WordTiming(13, 600.25),)),
)


def shelf_in(
    directory: Path, engine: str = "google-tts", voice: str = "he-IL-Wavenet-A"
) -> PhraseShelf:
    return PhraseCache(directory).shelf(engine, lambda _language: voice)


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "phrases"
    await shelf_in(directory).save(GREETING, LANGUAGE, SPOKEN)
    assert await shelf_in(directory).load(GREETING, LANGUAGE) == SPOKEN


async def test_a_phrase_is_of_its_engine_voice_language_text_and_reading(tmp_path: Path) -> None:
    await shelf_in(tmp_path).save(GREETING, LANGUAGE, SPOKEN)
    assert await shelf_in(tmp_path, engine="espeak-ng").load(GREETING, LANGUAGE) is None
    assert await shelf_in(tmp_path, voice="he-IL-Wavenet-B").load(GREETING, LANGUAGE) is None
    assert await shelf_in(tmp_path).load(GREETING, "en-US") is None
    assert await shelf_in(tmp_path).load(GREETING + " ", LANGUAGE) is None
    read_anew = PhraseCache(tmp_path).shelf(
        "google-tts", lambda _: "he-IL-Wavenet-A", lambda text, _: text.upper() + "!"
    )
    assert await read_anew.load(GREETING, LANGUAGE) is None


async def test_nothing_of_the_text_is_on_the_disk(tmp_path: Path) -> None:
    text = "my secret sentence"
    await shelf_in(tmp_path).save(text, "en-US", SPOKEN)
    (path,) = files_in(tmp_path)
    assert len(path.stem) == 64
    assert int(path.stem, 16)
    assert b"secret" not in path.read_bytes()


def files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cut_to_nothing(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-200] ^= 1
    path.write_bytes(content)


def lengthened(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def another_phrase(path: Path) -> None:
    asyncio.run(shelf_in(path.parent).save("another", LANGUAGE, SPOKEN[:1]))
    (other,) = set(path.parent.iterdir()) - {path}
    other.replace(path)


@pytest.mark.parametrize("damage", [truncated, cut_to_nothing, flipped, lengthened, another_phrase])
async def test_a_damaged_file_is_ignored_and_replaced(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    shelf = shelf_in(tmp_path)
    await shelf.save(GREETING, LANGUAGE, SPOKEN)
    (path,) = files_in(tmp_path)
    await asyncio.to_thread(damage, path)
    assert await shelf.load(GREETING, LANGUAGE) is None
    await shelf.save(GREETING, LANGUAGE, SPOKEN)
    assert await shelf.load(GREETING, LANGUAGE) == SPOKEN


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_any_file_at_all_is_survived(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.mktemp("phrases")
    cache = PhraseCache(directory)
    (directory / "abc.phrase").write_bytes(content)
    assert asyncio.run(cache.load("abc")) is None


async def test_a_directory_that_cannot_be_made_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    shelf = shelf_in(tmp_path / "file" / "phrases")
    for _ in range(3):
        await shelf.save(GREETING, LANGUAGE, SPOKEN)
        assert await shelf.load(GREETING, LANGUAGE) is None
    assert len(caplog.records) == 1
    assert GREETING not in caplog.text


async def test_a_disk_that_cannot_be_written_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf_in(tmp_path).save(GREETING, LANGUAGE, SPOKEN)

    def read_only(*_args: object, **_kwargs: object) -> None:
        raise OSError(30, "Read-only file system")

    # As root no permission bit would stop anybody.
    monkeypatch.setattr(os, "utime", read_only)
    monkeypatch.setattr(Path, "mkdir", read_only)
    shelf = shelf_in(tmp_path)
    assert await shelf.load(GREETING, LANGUAGE) == SPOKEN
    await shelf.save("another", LANGUAGE, SPOKEN)
    assert await shelf.load("another", LANGUAGE) is None


def age(directory: Path, key: str, seconds: int) -> None:
    os.utime(directory / f"{key}.phrase", (seconds, seconds))


async def test_above_the_count_the_ones_unused_for_longest_go(tmp_path: Path) -> None:
    cache = PhraseCache(tmp_path, max_phrases=3)
    for seconds, key in enumerate("abc", start=1):
        await cache.save(key, SPOKEN)
        age(tmp_path, key, seconds)
    assert await cache.load("a") == SPOKEN  # used now
    await cache.save("d", SPOKEN)
    assert {path.stem for path in files_in(tmp_path)} == {"a", "c", "d"}
    await cache.save("d", SPOKEN)
    assert {path.stem for path in files_in(tmp_path)} == {"a", "c", "d"}


async def test_above_the_bytes_the_ones_unused_for_longest_go(tmp_path: Path) -> None:
    cache = PhraseCache(tmp_path, max_bytes=5000)
    for seconds, key in enumerate("abcd", start=1):
        await cache.save(key, SPOKEN)
        age(tmp_path, key, seconds)
    assert {path.stem for path in files_in(tmp_path)} == {"c", "d"}
    await cache.save("too long", [SpeechChunk(b"\x11" * 6000)])
    assert {path.stem for path in files_in(tmp_path)} == {"c", "d"}


async def test_what_a_dead_process_left_is_cleared_away(tmp_path: Path) -> None:
    left, fresh, foreign = (tmp_path / n for n in (".old.1.draft", ".new.1.draft", "notes.txt"))
    for path in (left, fresh, foreign):
        path.write_bytes(b"half")
    os.utime(left, (1, 1))
    os.utime(foreign, (1, 1))
    await PhraseCache(tmp_path).save("a", SPOKEN)
    assert not left.exists()
    assert fresh.exists()
    assert foreign.exists()


async def test_silence_is_not_kept(tmp_path: Path) -> None:
    await shelf_in(tmp_path).save(GREETING, LANGUAGE, [])
    await shelf_in(tmp_path).save(GREETING, LANGUAGE, [SpeechChunk(b"")])
    assert not files_in(tmp_path)


async def test_many_writers_of_one_phrase_leave_one_whole_file(tmp_path: Path) -> None:
    shelves = [shelf_in(tmp_path) for _ in range(20)]
    await asyncio.gather(*(shelf.save(GREETING, LANGUAGE, SPOKEN) for shelf in shelves))
    assert len(files_in(tmp_path)) == 1
    assert await shelves[0].load(GREETING, LANGUAGE) == SPOKEN


async def test_the_disk_is_touched_in_threads_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.get_ident()
    touched: list[int] = []
    real_open = Path.open

    def noted(path: Path, *args: object, **kwargs: object) -> object:
        touched.append(threading.get_ident())
        return real_open(path, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", noted)
    await shelf_in(tmp_path).save(GREETING, LANGUAGE, SPOKEN)
    await shelf_in(tmp_path).load(GREETING, LANGUAGE)
    assert len(touched) == 2
    assert here not in touched
