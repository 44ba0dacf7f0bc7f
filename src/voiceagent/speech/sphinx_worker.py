"""The program of the hearing worker process: pocketsphinx with a grammar.

An utterance in µ-law at 8000 Hz and the phrases that are expected flow in; the phrase
that was said flows out, or an empty text when it was none of them. pocketsphinx holds
the interpreter lock while it decodes, so it never runs in the service's own process.
"""

import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pocketsphinx
import soxr

from voiceagent.call.audio import SAMPLE_RATE_HZ, ulaw_to_pcm16
from voiceagent.speech.confidence import ACCEPT_FROM, Segment, confidence, log_of
from voiceagent.speech.grammar import Grammar, grammar_of, pronunciations_of
from voiceagent.speech.loudness import Samples, levelled
from voiceagent.speech.voicing import voiced_ms
from voiceagent.speech.worker_program import Cancelled, Handler, Job, run

_MODEL_RATE_HZ: Final = 16_000
_CACHED_GRAMMARS: Final = 32
"""Making one costs 1 ms; a call comes back to each question a few times."""
_MAX_WORDS: Final = 4000
"""The dictionary does not shrink again."""
_SLICE_BYTES: Final = 2 * _MODEL_RATE_HZ // 5
"""200 ms at a time, so that the process notices a cancelled request or its parent's end."""
_SHORTEST_MS: Final = 80.0
_LEAST_VOICED_MS: Final = 60.0
"""The shortest words have 80 ms of a vowel; nine coughs of ten have less than 20."""
_CLOSING_SILENCE_MS: Final = 150
"""Added behind the audio: the last word needs silence to end in."""
_FLOOR: Final = np.float32(10 ** (-42 / 20))
"""The model comes from rooms with a little noise: on a digitally silent line a third of the
phrases was rejected without it, and on a noisy one this much makes no difference."""
_SEED: Final = 1
_SILENCE_PROBABILITY: Final = 0.3
_TELEPHONE_CEPSTRAL_MEAN: Final = (
    "53.30,25.23,-47.12,45.47,-33.82,7.83,7.56,-29.57,22.08,-20.37,6.86,3.36,-13.19"
)
"""Mean cepstrum of telephone speech at -20 dBFS in 16 kHz audio whose upper half is empty. An
utterance of one word is too short for a mean of its own, and no call may shift another's."""

_PHRASES, _FREE_PHONES = "phrases", "free phones"
_NO_PHONE: Final = frozenset({"SIL", "+NSN+", "+SPN+", "(NULL)"})
_NO_WORD: Final = frozenset({"<s>", "</s>", "<sil>", "[NOISE]", "[SPEECH]", "(NULL)"})


class Recogniser:
    """One decoder with its grammars; one per process."""

    def __init__(self) -> None:
        model = Path(pocketsphinx.get_model_path("en-us"))
        with tempfile.TemporaryDirectory() as folder:
            # The acoustic model's own file would win over the options given here.
            features = Path(folder, "feat.params")
            own = (model / "en-us" / "feat.params").read_text()
            features.write_text(own.replace("-cmn batch", "-cmn live"))
            self._decoder: Any = pocketsphinx.Decoder(
                pocketsphinx.Config(
                    hmm=str(model / "en-us"),
                    dict=str(model / "cmudict-en-us.dict"),
                    featparams=str(features),
                    lm=None,
                    samprate=float(_MODEL_RATE_HZ),
                    silprob=_SILENCE_PROBABILITY,
                    allphone_ci=True,
                    loglevel="FATAL",
                )
            )
        self._decoder.add_allphone_file(_FREE_PHONES, None)
        self._grammars: OrderedDict[tuple[str, ...], tuple[str, Grammar]] = OrderedDict()
        self._made = 0
        self._taught: set[str] = set()

    def recognise(self, job: Job) -> None:
        """Answer one request: the utterance is the body, `phrases` what is expected."""
        search, grammar = self._grammar(tuple(job.header["phrases"]))
        pcm = _wide_band(job.body)
        if not pcm:
            job.reply({"text": "", "confidence": None})
            return
        heard, words = self._decode(search, pcm, job)
        text, sure = "", None
        if heard in grammar.phrases:
            _, phones = self._decode(_FREE_PHONES, pcm, job)
            sure = confidence(
                [self._word(segment) for segment in words], [_phone(s) for s in phones]
            )
            if sure >= ACCEPT_FROM:
                text = grammar.phrases[heard]
        job.reply({"text": text, "confidence": sure})

    def _grammar(self, phrases: tuple[str, ...]) -> tuple[str, Grammar]:
        """The search and the grammar of the phrases, the oldest of 32 thrown away for it."""
        known = self._grammars.get(phrases)
        if known is not None:
            self._grammars.move_to_end(phrases)
            return known
        grammar = self._speakable(grammar_of(phrases))
        while len(self._grammars) >= _CACHED_GRAMMARS:
            self._forget()
        self._made += 1
        search = f"{_PHRASES} {self._made}"
        self._decoder.add_jsgf_string(search, grammar.jsgf)
        self._grammars[phrases] = search, grammar
        return search, grammar

    def _forget(self) -> None:
        _, (search, _) = self._grammars.popitem(last=False)
        self._decoder.activate_search(_FREE_PHONES)
        self._decoder.remove_search(search)

    def _speakable(self, grammar: Grammar) -> Grammar:
        """Teach the decoder every word; without room for more, its phrases are left out."""
        new = sorted(grammar.words - self._taught)
        if not new:
            return grammar
        if len(self._taught) + len(new) > _MAX_WORDS:
            unknown = set(new)
            kept = {
                phrase: given
                for phrase, given in grammar.phrases.items()
                if unknown.isdisjoint(phrase.split())
            }
            return Grammar(kept, grammar.skipped)
        while self._grammars:  # made before the dictionary grew
            self._forget()
        for word in new:
            self._teach(word)
        return grammar

    def _teach(self, word: str) -> None:
        """Add the pronunciations of a word that the dictionary does not have."""
        known: list[str] = []
        while phones := self._decoder.lookup_word(_spelling(word, len(known) + 1)):
            known.append(phones)
        for phones in pronunciations_of(word, known):
            known.append(phones)
            self._decoder.add_word(_spelling(word, len(known)), phones, update=True)
        self._taught.add(word)

    def _decode(self, search: str, pcm: bytes, job: Job) -> tuple[str, list[Any]]:
        """(words, segments) of the audio. Raises `Cancelled`."""
        decoder = self._decoder
        decoder.activate_search(search)
        decoder.set_cmn(_TELEPHONE_CEPSTRAL_MEAN)
        decoder.start_utt()
        try:
            for start in range(0, len(pcm), _SLICE_BYTES):
                if job.cancelled:
                    raise Cancelled
                decoder.process_raw(pcm[start : start + _SLICE_BYTES])
        finally:
            decoder.end_utt()
        hypothesis = decoder.hyp()
        if hypothesis is None:
            return "", []
        return hypothesis.hypstr, list(decoder.seg())

    def _word(self, segment: Any) -> Segment:
        phones: tuple[str, ...] = ()
        if segment.word not in _NO_WORD:
            phones = tuple((self._decoder.lookup_word(segment.word) or "").split())
        return _segment(segment, phones)


def _spelling(word: str, number: int) -> str:
    """How the dictionary tells the ways to say a word apart: word, word(2), word(3)."""
    return word if number == 1 else f"{word}({number})"


def _phone(segment: Any) -> Segment:
    return _segment(segment, () if segment.word in _NO_PHONE else (segment.word,))


def _segment(segment: Any, phones: tuple[str, ...]) -> Segment:
    return Segment(segment.start_frame, segment.end_frame, log_of(segment.ascore), phones)


def _wide_band(ulaw: bytes) -> bytes:
    """16 kHz PCM of a telephone utterance at the level that the model is told of; empty when
    there is no voice in it."""
    pcm = ulaw_to_pcm16(ulaw)
    if len(pcm) < _SHORTEST_MS * SAMPLE_RATE_HZ / 1000 or not pcm.any():
        return b""
    narrow: Samples = pcm.astype(np.float32) / np.float32(32768)
    if voiced_ms(narrow) < _LEAST_VOICED_MS:
        return b""
    closing = np.zeros(SAMPLE_RATE_HZ * _CLOSING_SILENCE_MS // 1000, np.float32)
    loud = np.concatenate((levelled(narrow, SAMPLE_RATE_HZ), closing))
    floor = np.random.default_rng(_SEED).standard_normal(len(loud), np.float32) * _FLOOR
    wide = soxr.resample(loud + floor, SAMPLE_RATE_HZ, _MODEL_RATE_HZ)
    return bytes(np.rint(np.clip(wide, -1, 1) * 32767).astype(np.int16).tobytes())


def _open() -> Handler:
    return Recogniser().recognise


if __name__ == "__main__":
    run(_open)
