"""Every figure of turn-taking, in ms, with where it comes from."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """The defaults are the product's; settings may move the first three."""

    eou_min_ms: float = 300.0
    """Silence that ends an utterance whose text is there and reads complete (playbook B4)."""
    eou_max_ms: float = 600.0
    """Silence that ends any utterance (playbook B4)."""
    speech_start_ms: float = 96.0
    """Voice that begins an utterance while listening: three windows; clicks are shorter."""
    barge_in_min_ms: float = 120.0
    """Voice that stops the agent."""
    listening_noise_ms: float = 300.0
    """Silence after an "mm-hm" over the agent; then it goes on. No sooner, since "okay, but" has a
    pause in it; it may still grow into words that are answered."""
    pause_ms: float = 120.0
    """Silence after which the recogniser is asked what it has, so that it is there by eou_min."""
    guess_after_ms: float = 64.0
    """Silence after which the brain begins to answer what is stable, before it is known that the
    caller has finished: two windows, since a pause between words is mostly shorter."""
    guess_slack_ms: float = 160.0
    """How far behind the end of the voice the words may end to be guessed at: less than a word,
    or the last one is missing from most guesses."""
    max_guesses: int = 4
    """In one utterance; 0: none. A caller who pauses at every word must not cost a model each
    time."""
    guess_ms: float = 5_000.0
    """A guess that is this old and neither right nor wrong is dropped."""
    utterance_max_ms: float = 30_000.0
    """An utterance longer than this is answered as it stands."""
    media_gap_ms: float = 2_000.0
    """Wall time without media after which an open utterance is taken as over."""
    recognition_grace_ms: float = 1_500.0
    """How long the words of an ended utterance may be late (Google's finals: p99 1.57 s)."""
    last_words_ms: float = 400.0
    """How much longer the last words are awaited when those that are there end well before the
    voice: the recogniser lags, or the line stalled and delivers all at once."""
    resume_after_ms: float = 2_000.0
    """No words this long after a stop: it was no interruption."""
    not_understood_ms: float = 320.0
    """So much voice without words, while the agent waits for an answer, was a short answer and no
    cough: it deserves a retry. An "ahem" has 200-300 ms, "a flat" 350."""
    nearly_done_ms: float = 1_000.0
    """With less than this unheard, "yes" is an answer to what was asked, not a back-channel."""
    belated_ms: float = 5_000.0
    """How long after an utterance was let pass its words may still take the turn."""
    think_ms: float = 4_000.0
    """From the end of the utterance to the first audio; then a spoken apology. With the silence
    before it the caller hears something within 3-6 s in the worst case (playbook B3)."""
    speak_slack_ms: float = 3_000.0
    """How much later than computed the last mark may come back, or the next audio be released."""
    transfer_ms: float = 12_000.0
    """How long Twilio may take to be told of a transfer and to take the call away."""
    idle_ms: float = 12_000.0
    """Silence of an idle caller before a re-prompt."""
    max_reprompts: int = 2
    digit_gap_ms: float = 1_200.0
    """Pause after a key that ends the keyed answer; `#` ends it at once."""
    max_digits: int = 32
    """Longer than any number that people key in."""
    call_max_ms: float = inf
    """How long a call may last; then the agent takes its leave."""
    overtime_ms: float = 15_000.0
    """How much longer whoever is speaking then may go on."""
    warning_share: float = 0.25
    """Of a short call, how much is left when the caller is warned of its end."""
    warning_ms: float = 60_000.0
    """Of a longer one."""

    @property
    def warns_at_ms(self) -> float:
        """When the caller is to hear that the time is nearly over."""
        return self.call_max_ms - min(self.warning_ms, self.warning_share * self.call_max_ms)
