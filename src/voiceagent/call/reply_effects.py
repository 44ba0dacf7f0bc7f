"""What an answer brings about beside its sound, and when it counts: once it is being heard.

What the brain proposed, learnt and changed flows in while a reply is made; as soon as the caller
hears some of it, the proposal counts, what was learnt is recorded, and the call goes on in the
language that was changed to. An answer that nobody heard leaves no trace. It never speaks.
"""

from collections.abc import Callable
from dataclasses import replace

from voiceagent.brain.ports import Brain
from voiceagent.call.detail import CallDetail
from voiceagent.call.speaking import Voice


class SpokenLanguage:
    """What a call is spoken in: its voice, its fixed phrases and its ears' language."""

    def __init__(
        self, brain: Brain, voice: Voice, changed_to: str, listen_for: Callable[[str], None]
    ) -> None:
        """`changed_to`: what the call goes on in (BCP 47); empty: it begins as it is answered.
        `listen_for(language)` reaches the ears."""
        self._brain = brain
        self._listen_for = listen_for
        self.voice = replace(voice, language=changed_to) if changed_to else voice
        self.phrases = brain.phrases_in(changed_to) if changed_to else brain.phrases
        self.changed_to = changed_to
        """What the call has changed to (BCP 47); empty: it never has."""

    def change(self, language: str) -> None:
        """Go on in this language."""
        if language == self.voice.language:
            return
        self.changed_to = language
        self.voice = replace(self.voice, language=language)
        self.phrases = self._brain.phrases_in(language)
        self._listen_for(language)


class ReplyEffects:
    """Of the reply under way. Loop thread only."""

    def __init__(self, spoken: SpokenLanguage, detail: CallDetail) -> None:
        self._spoken = spoken
        self._detail = detail
        self._commit: Callable[[], None] | None = None
        """None: it is being heard, or is nothing that the brain proposed."""
        self._unsaved: dict[str, str] = {}
        self._language = ""

    def begin(self, commit: Callable[[], None] | None) -> None:
        """Another reply is under way; whatever the one before it left is dropped. `commit`: what
        makes the brain's proposal count."""
        self._commit = commit
        self._unsaved = {}
        self._language = ""

    def save(self, fields: dict[str, str]) -> None:
        """The brain has learnt this of the caller."""
        if self._commit is None:
            self._detail.learn(fields)
        else:
            self._unsaved |= fields

    def change_language(self, language: str) -> None:
        """The call is to go on in this language."""
        self._language = language
        if self._commit is None:
            self._change()

    def heard(self) -> None:
        """Some of the reply has been heard."""
        if self._commit is None:
            return
        commit, self._commit = self._commit, None
        commit()
        self._change()
        if self._unsaved:
            self._detail.learn(self._unsaved)
            self._unsaved = {}

    def _change(self) -> None:
        language, self._language = self._language, ""
        if language:
            self._spoken.change(language)
