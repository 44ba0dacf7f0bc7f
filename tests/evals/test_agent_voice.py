from voiceagent.call.audio import FRAME_BYTES, FRAME_MS, frame_levels_dbfs, silence
from voiceagent.evals.agent_voice import CodedVoice
from voiceagent.speech.ports import SpeechChunk

TEXT = "Well, well: it is 250 ₪."


async def spoken(voice: CodedVoice, text: str = TEXT) -> list[SpeechChunk]:
    return [chunk async for chunk in voice.synthesize(text, "en-US")]


def frames(ulaw: bytes) -> list[bytes]:
    return [ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw), FRAME_BYTES)]


async def test_each_frame_tells_its_word() -> None:
    voice = CodedVoice()

    chunks = await spoken(voice)

    read = [voice.word(frame) for chunk in chunks for frame in frames(chunk.ulaw)]
    words = list(dict.fromkeys(word for word in read if word is not None))
    assert [word.text for word in words] == TEXT.split()
    assert len({word.number for word in words}) == len(words), "the same word twice is two words"
    assert [read.count(word) for word in words] == [word.frames for word in words]


async def test_timings_are_those_of_the_audio() -> None:
    chunks = await spoken(CodedVoice())

    timings = [timing for chunk in chunks for timing in chunk.words]
    assert [TEXT[timing.char_start :].split(maxsplit=1)[0] for timing in timings] == TEXT.split()
    at_ms = 0.0
    for chunk, timing in zip(chunks, timings, strict=False):
        assert timing.start_ms == at_ms
        at_ms += len(chunk.ulaw) // FRAME_BYTES * FRAME_MS


async def test_it_is_audible() -> None:
    (first, *_) = await spoken(CodedVoice())

    assert min(frame_levels_dbfs(first.ulaw)) > -20


async def test_many_words_are_told_apart() -> None:
    voice = CodedVoice()
    await spoken(voice, "a " * 5000)

    (chunk, _) = await spoken(voice, "last")

    word = voice.word(chunk.ulaw[:FRAME_BYTES])
    assert word is not None
    assert (word.number, word.text) == (5000, "last")


def test_other_sounds_are_no_words() -> None:
    voice = CodedVoice()

    assert voice.word(silence(FRAME_MS)) is None
    assert voice.word(bytes([0x10, 0x90] * (FRAME_BYTES // 2))) is None, "nothing was said yet"
    assert voice.word(bytes(range(FRAME_BYTES))) is None
