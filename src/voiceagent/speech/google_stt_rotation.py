"""Keeps one call's recognition going over any number of requests to Google.

The call's audio, the news of its voice activity detector and what the requests (legs)
answer flow in; legs to open and to drop, and recognitions placed in the call's audio, flow
out. Pure: no clock, no connection; times `now_ms` are handed in.

One leg is live and hears the present. A leg that was handed over is half-closed and read
to its last final; the live one begins where it ends. A leg that died or hangs is replaced
by one that is sent again what was not final. A stretch that a half-closed leg did not
settle is heard by a leg of its own (a repair). So each byte that may hold words belongs to
exactly one leg whose results count.
"""

import itertools
from collections.abc import Sequence
from typing import Final

from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, frame_levels_dbfs
from voiceagent.speech.google_stt_leg import AudioTape, Leg, next_request
from voiceagent.speech.google_stt_policy import (
    Action,
    Counters,
    Drop,
    Failure,
    GiveUp,
    HalfClose,
    Health,
    Heard,
    Open,
    StreamPolicy,
    Tell,
)
from voiceagent.speech.google_stt_voices import Voice, Voices
from voiceagent.speech.ports import Recognition

_HELD: Final = 32
_LOOKED_AT_MS: Final = 3_000.0
_QUIET_DB: Final = 15.0
"""So much below the loudest of a voice is none."""


class Rotation:
    """The machine of one call. `now_ms` only goes forward."""

    def __init__(self, policy: StreamPolicy, health: Health | None = None) -> None:
        self.policy = policy
        self.counters = Counters()
        self._health = health or Health()
        self._slack = _bytes(policy.settled_slack_ms)
        self._tape = AudioTape(policy.kept_ms)
        self._origin_ms = 0.0
        """The call's audio time at the tape's first byte."""
        self._fed_ms = 0.0
        self._voices = Voices()
        self._voice_news_ms = 0.0
        self._legs: dict[int, Leg] = {}
        self._live: Leg | None = None
        self._numbers = itertools.count(1)
        self._resume_at = 0
        """Up to where the dead live leg had settled the call."""
        self._resume_told: int | None = None
        """Where words of it begin that were told as interims only."""
        self._shown_to = 0
        """Up to where recognitions have been told, interims included."""
        self._cut: int | None = None
        """A handing over is considered here; nothing beyond is sent until it is decided."""
        self._cut_ms = 0.0
        self._amid_speech = False
        self._to_repair: list[Leg] = []
        self._failures = 0
        self._retry_ms = 0.0
        self._last_failure = "Google cannot be reached"
        self._hang_ms = policy.hang_ms
        self._hangs = 0
        self._stuck = 0
        """So many legs in a row have died without settling anything of the same audio."""
        self._over = False

    # --- the call -------------------------------------------------------------------------

    def feed(self, ulaw: bytes, now_ms: float) -> None:
        self._tape.append(ulaw)
        self._fed_ms = now_ms

    def speech_started(self, audio_ms: float, now_ms: float) -> None:
        self._align(audio_ms)
        self._voice_news_ms = now_ms
        self._voices.started(self._position(audio_ms))

    def speech_paused(self, audio_ms: float, now_ms: float) -> None:
        self._align(audio_ms)
        self._voice_news_ms = now_ms
        self._voices.paused(self._position(audio_ms))

    def utterance_ended(self) -> None:
        self._voices.ended(self._tape.end)

    def _align(self, audio_ms: float) -> None:
        """Ears that were opened late learn here where the call's audio time stands."""
        self._origin_ms = max(self._origin_ms, audio_ms - self._tape.end / BYTES_PER_MS)

    def _position(self, audio_ms: float) -> int:
        return max(0, round((audio_ms - self._origin_ms) * BYTES_PER_MS))

    def _audio_ms(self, position: int) -> float:
        return self._origin_ms + position / BYTES_PER_MS

    # --- what a leg is sent and answers ---------------------------------------------------

    def next_request(self, leg_id: int, now_ms: float) -> bytes | HalfClose | None:
        """Audio for that leg; None when nothing is due yet."""
        leg = self._legs.get(leg_id)
        if leg is None:
            return HalfClose()
        self.counters.dropped_ms += leg.skip_to(self._tape.begin) / BYTES_PER_MS
        end = self._tape.end if self._cut is None or leg is not self._live else self._cut
        starving = now_ms - self._fed_ms >= self.policy.starve_ms
        return next_request(leg, self._tape, end, self.policy, now_ms, starving=starving)

    def heard(self, leg_id: int, results: Sequence[Heard], now_ms: float) -> list[Action]:
        """A response of that leg; one without results is only a sign of life."""
        actions: list[Action] = []
        leg = self._legs.get(leg_id)
        if leg is None or self._over:
            return actions
        leg.responses += 1
        leg.responded_ms = now_ms
        self._failures = self._hangs = 0
        self._health.failing_since_ms = None
        self._health.has_worked = True
        if leg.muted or not results:
            return actions
        self._hang_ms = self.policy.hang_ms
        if leg.twin is not None and not leg.is_repair:
            self._drop(leg.twin, actions)
            leg.twin = None
        for recognition in self._placed(leg, results):
            if not leg.is_repair:
                leg.held.append(recognition)
            elif recognition.is_final and recognition.text:
                leg.texts.append(recognition.text)
        self._release(leg, now_ms, actions)
        return actions

    def _placed(self, leg: Leg, results: Sequence[Heard]) -> list[Recognition]:
        """Finals one by one; interims, which are consecutive, as one."""
        placed = []
        for result in results:
            if result.is_final:
                end = max(leg.place(result.end_ms), leg.settled)
                placed.append(self._recognition(leg, result.text, end))
                leg.settled, leg.covered = end, max(leg.covered, end)
                leg.interim, leg.piece_start = "", None
        interims = [result for result in results if not result.is_final and result.text.strip()]
        if interims:
            end = max(*(leg.place(result.end_ms) for result in interims), leg.settled)
            leg.covered = max(leg.covered, end)
            leg.interim = " ".join(result.text.strip() for result in interims)
            stability = min(result.stability for result in interims)
            placed.append(self._recognition(leg, leg.interim, end, stability))
        return placed

    def _recognition(
        self, leg: Leg, text: str, end: int, stability: float | None = None
    ) -> Recognition:
        """`stability` None: a final."""
        if leg.piece_start is None:
            leg.piece_start = self._beginning(leg, end)
        start = min(leg.piece_start, end)
        is_final = stability is None
        times = self._audio_ms(start), self._audio_ms(end)
        return Recognition(text.strip(), is_final, 1.0 if is_final else stability or 0.0, *times)

    def _beginning(self, leg: Leg, end: int) -> int:
        """Where its next piece begins: with the end of the final before or, later, with the next
        voice: words said again must not look like words that were answered already."""
        voice = self._voices.first_beyond(leg.settled, _bytes(self.policy.covered_slack_ms))
        start = self._voices.over_to if voice is None else voice.start - self._slack
        return max(leg.settled, start) if start < end else leg.settled

    def _release(self, leg: Leg, now_ms: float, actions: list[Action]) -> None:
        """Tell what is held, unless it would take back words that have been told."""
        if leg.held and (leg.covered >= leg.quiet_to - self._slack or now_ms >= leg.quiet_until_ms):
            leg.quiet_to = 0
            self._tell(leg.held, actions)
            leg.held = []
        elif leg.held:
            interim = [] if leg.held[-1].is_final else leg.held[-1:]
            leg.held = [told for told in leg.held if told.is_final][-_HELD:] + interim

    def _tell(self, recognitions: Sequence[Recognition], actions: list[Action]) -> None:
        for recognition in recognitions:
            self._shown_to = max(self._shown_to, self._position(recognition.end_ms))
            actions.append(Tell(recognition))

    # --- the end of a leg -----------------------------------------------------------------

    def leg_ended(self, leg_id: int, failure: Failure | None, now_ms: float) -> list[Action]:
        """That leg's stream is over; `failure` None: in order."""
        actions: list[Action] = []
        leg = self._legs.pop(leg_id, None)
        if leg is None or self._over:
            return actions
        self._tell([held for held in leg.held if held.is_final], actions)
        established = leg.responses > 0 or now_ms - leg.opened_ms >= self.policy.established_ms
        in_order = failure is None or failure.expected
        if failure is not None:
            if not failure.status_lost:
                self._last_failure = failure.reason
            doubtful = self._health.has_worked and not self._failures
            if failure.fatal and not established and not doubtful:
                self._give_up(False, actions)
                return actions
        if not in_order or not (established or leg.half_closed):
            self._failed(established, now_ms)
        if leg is self._live:
            self._live, self._cut = None, None
            self.counters.replaced += 1
            self._resume_at = self._resume_behind(leg, established, actions)
            told = [start for start in (leg.unsettled_from, self._resume_told) if start is not None]
            self._resume_told = min((at for at in told if at >= self._resume_at), default=None)
        else:
            self._side_leg_ended(leg, in_order and leg.half_closed, actions)
        actions += self.advance(now_ms)
        return actions

    def _resume_behind(self, leg: Leg, established: bool, actions: list[Action]) -> int:
        """Up to where the dead live leg settled the call.

        Audio over which legs die again and again is left alone: the words so far must do.
        """
        if leg.settled > leg.start or not established or leg.start > self._resume_at:
            self._stuck = 0
            return leg.settled
        self._stuck += 1
        if self._stuck < self.policy.deaths:
            return leg.settled
        self._stuck = 0
        if leg.interim:
            self._tell([self._recognition(leg, leg.interim, leg.covered)], actions)
            return leg.covered
        self.counters.dropped_ms += (leg.sent - leg.covered) / BYTES_PER_MS
        return leg.sent

    def _failed(self, established: bool, now_ms: float) -> None:
        # The first try after a leg that had worked comes at once.
        self._failures = 0 if established else self._failures + 1
        backoff_ms = (0.0, *self.policy.backoff_ms)
        self._retry_ms = now_ms + backoff_ms[min(self._failures, len(backoff_ms) - 1)]
        if self._health.failing_since_ms is None:
            self._health.failing_since_ms = now_ms

    def _side_leg_ended(self, leg: Leg, in_order: bool, actions: list[Action]) -> None:
        """A leg that was handed over, or a repair, is over: is its stretch settled?"""
        if leg.muted:
            return
        twin = self._legs.get(leg.twin) if leg.twin is not None else None
        if in_order:
            self._tell_repaired(leg, actions)
            if twin is not None:
                self._drop(twin.id, actions)
        elif twin is not None:
            twin.twin = None  # the stretch is left to it
        elif self._owes(leg) and leg.repairs < self.policy.repairs:
            self._to_repair.append(leg)
        elif leg.interim:
            leg.texts = [leg.interim]
            self._tell_repaired(leg, actions)

    def _tell_repaired(self, leg: Leg, actions: list[Action]) -> None:
        """One final over the whole stretch: pieces one by one would take back interims."""
        if leg.texts and leg.until is not None:
            leg.piece_start = leg.told_from
            self._tell([self._recognition(leg, " ".join(leg.texts), leg.until)], actions)

    def _owes(self, leg: Leg) -> bool:
        """Whether there may be words in its stretch that it did not settle."""
        end = leg.until if leg.until is not None else self._tape.end
        return bool(leg.interim or leg.texts) or self._voices.any_within(
            leg.settled, end, self._slack
        )

    # --- what is due ----------------------------------------------------------------------

    def advance(self, now_ms: float) -> list[Action]:
        """To be called each 100 ms or so, with or without audio."""
        actions: list[Action] = []
        if self._over:
            return actions
        self._open_due(now_ms, actions)
        if self._live is not None:
            self._rotate(self._live, now_ms, actions)
        if self._live is not None:
            self._watch(self._live, now_ms, actions)
        for leg in tuple(self._legs.values()):
            if leg.close_by_ms is not None and now_ms >= leg.close_by_ms:
                self._overdue(leg, actions)
            else:
                self._release(leg, now_ms, actions)
        self._judge(now_ms, actions)
        self._forget()
        return actions

    def _open_due(self, now_ms: float, actions: list[Action]) -> None:
        if now_ms < self._retry_ms:
            return
        if self._live is None and self._tape.end > 0:
            self._open(self._replay_from(self._resume_at, self._resume_told), now_ms, actions)
        waiting, self._to_repair = self._to_repair, []
        for leg in waiting:
            self._repair(leg, now_ms, actions)

    def _open(self, start: int, now_ms: float, actions: list[Action]) -> None:
        """A new live leg."""
        leg = self._live = self._new(start, None, now_ms, actions)
        if start < self._shown_to:
            leg.quiet_to = self._shown_to
            leg.quiet_until_ms = leg.ready_ms + self.policy.hold_ms

    def _repair(self, of: Leg, now_ms: float, actions: list[Action]) -> Leg:
        """A leg for what that one did not settle of its stretch."""
        until = of.until if of.until is not None else self._tape.end
        words = of.told_from if of.is_repair else self._words_from(of.settled, of.unsettled_from)
        if words is None:
            words = until
        start = max(words - _bytes(self.policy.preroll_ms), of.settled, self._tape.begin)
        leg = self._new(min(start, until), until, now_ms, actions)
        leg.told_from = of.told_from if of.is_repair else max(min(words, until), leg.start)
        leg.texts = list(of.texts)
        leg.repairs, leg.interim = of.repairs + 1, of.interim
        leg.close_by_ms = leg.ready_ms + self.policy.drain_ms
        self.counters.repaired += 1
        return leg

    def _new(self, start: int, until: int | None, now_ms: float, actions: list[Action]) -> Leg:
        leg = Leg(next(self._numbers), start, now_ms, until)
        past_ms = ((self._tape.end if until is None else until) - start) / BYTES_PER_MS
        leg.ready_ms = now_ms + past_ms / self.policy.catch_up_speed
        self._legs[leg.id] = leg
        self.counters.legs += 1
        actions.append(Open(leg.id))
        return leg

    def _words_from(self, settled: int, told: int | None) -> int | None:
        """Where words begin that are not final: the first voice, or what was told (the voice
        activity detector misses short ones)."""
        voice = self._voices.first_beyond(settled, self._slack)
        starts = [told] if told is not None else []
        if voice is not None:
            starts.append(max(voice.start - self._slack, settled))
        return min(starts, default=None)

    def _replay_from(self, settled: int, told: int | None = None) -> int:
        """Where a leg begins that replaces one which had settled the call up to there."""
        start = self._tape.end - _bytes(self.policy.recent_ms)
        words = self._words_from(settled, told)
        if words is not None:
            start = min(start, words - _bytes(self.policy.preroll_ms))
        return max(start, settled, self._tape.begin)

    def _rotate(self, live: Leg, now_ms: float, actions: list[Action]) -> None:
        """Hand over to a fresh leg in time, best where nobody speaks."""
        policy = self.policy
        age_ms = max(now_ms - live.opened_ms, live.stream_bytes / BYTES_PER_MS)
        if self._cut is not None:
            if self._amid_speech:
                self._hand_over_in_a_gap(live, self._cut, now_ms, actions)
                return
            confirmed = self._tape.end - self._cut >= _bytes(policy.confirm_ms)
            starving = now_ms - self._cut_ms >= policy.starve_ms
            if self._voices.speaking:
                self._cut = None
            elif confirmed or starving:
                self._hand_over(live, self._cut, now_ms, actions)
                return
        elif age_ms >= policy.rotate_from_ms and not self._voices.speaking:
            self._cut, self._cut_ms, self._amid_speech = self._tape.end, now_ms, False
        if age_ms < policy.rotate_by_ms or self._cut is not None:
            return
        if self._tape.end - self._replay_from(live.settled, live.unsettled_from) <= _bytes(
            policy.replay_ms
        ):
            self._replace(live, now_ms, actions)
        else:
            self._cut, self._cut_ms, self._amid_speech = self._tape.end, now_ms, True

    def _hand_over_in_a_gap(
        self, live: Leg, earliest: int, now_ms: float, actions: list[Action]
    ) -> None:
        """Amid speech without an end: where it is quietest for 40 ms, best between two words."""
        levels = frame_levels_dbfs(self._tape.read(earliest, self._tape.end))
        pairs = [max(pair) for pair in itertools.pairwise(levels)]
        quietest = min(pairs, default=0.0)
        if not pairs or (
            quietest > max(levels) - _QUIET_DB and now_ms - self._cut_ms < self.policy.gap_ms
        ):
            if now_ms - self._cut_ms >= self.policy.gap_ms:
                self._hand_over(live, earliest, now_ms, actions)
            return
        cut = earliest + (pairs.index(quietest) + 1) * FRAME_BYTES
        self._voices.split(cut)
        self._hand_over(live, cut, now_ms, actions)

    def _hand_over(self, live: Leg, cut: int, now_ms: float, actions: list[Action]) -> None:
        """The old leg hears up to the cut and is read to its last final, the new one from there."""
        self._cut = None
        live.until = max(cut, live.sent)
        live.close_by_ms = max(now_ms, live.ready_ms) + self.policy.drain_ms
        self.counters.handed_over += 1
        self._open(live.until, now_ms, actions)

    def _replace(self, live: Leg, now_ms: float, actions: list[Action]) -> None:
        """A new leg hears again what is not final; the old one no longer counts."""
        self._cut = None
        self._tell([held for held in live.held if held.is_final], actions)
        live.held = []
        live.muted, live.until = True, live.sent
        live.close_by_ms = now_ms + self.policy.drain_ms
        self.counters.replaced += 1
        self._open(self._replay_from(live.settled, live.unsettled_from), now_ms, actions)

    def _watch(self, live: Leg, now_ms: float, actions: list[Action]) -> None:
        """Does it still answer when somebody speaks?"""
        voice = self._voices.last
        if voice is None:
            return
        since_ms = max(live.responded_ms, live.ready_ms, self._voice_news_ms)
        if now_ms - since_ms < min(self.policy.words_due_ms, self._hang_ms):
            return
        silent = self._fell_silent(voice)
        spoken_to = self._tape.end
        if voice.end is not None and (silent or voice.over):
            spoken_to = voice.end
        unheard_from = max(live.start, voice.start)
        owed = spoken_to > unheard_from
        if live.covered > unheard_from:  # some of it was heard; is there more?
            owed = spoken_to - live.covered > _bytes(self.policy.covered_slack_ms)
        overdue = silent and bool(live.interim) and now_ms - since_ms >= self.policy.final_due_ms
        if not owed and not overdue:
            return
        if silent:
            # A half-close makes a living server tell what it has at once; a leg of its own asks
            # for the same in case it is a dead one. Whoever answers first counts.
            self._hand_over(live, self._tape.end, now_ms, actions)
            twin = self._repair(live, now_ms, actions)
            twin.twin, live.twin = live.id, twin.id
        elif now_ms - since_ms >= self._hang_ms:
            self._hang_ms *= 2
            self.counters.hung += 1
            self._replace(live, now_ms, actions)

    def _fell_silent(self, voice: Voice) -> bool:
        """Whether there is silence since its last pause: nobody tells that it goes on, and of the
        next one not at once."""
        if voice.end is None:
            return False
        looked_at = _bytes(_LOOKED_AT_MS)
        begun = max(voice.start, voice.end - looked_at, self._tape.begin)
        within = frame_levels_dbfs(self._tape.read(begun, max(begun, voice.end)))
        pause = voice.end + _bytes(self.policy.pause_told_ms)
        pause = max(pause, self._tape.end - looked_at, self._tape.begin)
        pause += (self._tape.end - pause) % FRAME_BYTES  # whole frames up to the very end
        after = frame_levels_dbfs(self._tape.read(pause, self._tape.end))
        return bool(within) and max(after, default=-100.0) < max(within) - _QUIET_DB

    def _overdue(self, leg: Leg, actions: list[Action]) -> None:
        """A half-closed leg did not end."""
        if self._legs.pop(leg.id, None) is not None:
            actions.append(Drop(leg.id, hung=True))
        if not leg.muted and self._owes(leg):
            self.counters.hung += 1
            self._hangs += 1
            if self._hangs > 1:
                self._last_failure = "Google takes the audio but answers nothing"
                self._give_up(True, actions)
                return
        self._side_leg_ended(leg, False, actions)

    def _judge(self, now_ms: float, actions: list[Action]) -> None:
        """Has it failed for too long?"""
        since_ms = self._health.failing_since_ms
        if since_ms is None or self._over:
            return
        if self._live is not None:
            if now_ms - self._live.opened_ms >= self.policy.established_ms:
                self._health.failing_since_ms = None
            return
        if now_ms - since_ms >= self.policy.give_up_ms:
            self._give_up(True, actions)
        elif self._failures > 1 and self._somebody_waits(
            max(since_ms, self._voice_news_ms), now_ms
        ):
            # Tried again often enough while the caller waited: they are to be told.
            self._give_up(True, actions)

    def _somebody_waits(self, since_ms: float, now_ms: float) -> bool:
        """For the answer to a short voice, which nobody would ask to have repeated."""
        voice = self._voices.last
        return (
            voice is not None
            and voice.end is not None
            and voice.goes_beyond(self._resume_at, self._slack)
            and voice.end - voice.start < _bytes(self.policy.short_voice_ms)
            and now_ms - since_ms >= self.policy.give_up_waiting_ms
        )

    def _give_up(self, retryable: bool, actions: list[Action]) -> None:
        self._over = True
        actions.append(GiveUp(self._last_failure, retryable))

    def _drop(self, leg_id: int, actions: list[Action]) -> None:
        if self._legs.pop(leg_id, None) is not None:
            actions.append(Drop(leg_id))

    def _forget(self) -> None:
        """Let go of audio and voices that nobody can ask for any more."""
        owing = [leg for leg in self._legs.values() if not leg.muted] + self._to_repair
        settled = min((leg.settled for leg in owing), default=self._resume_at)
        told = [leg.told_from if leg.is_repair else leg.unsettled_from for leg in owing]
        if self._live is None:
            settled = min(settled, self._resume_at)
            told.append(self._resume_told)
        self._voices.forget(settled, self._slack)
        first_told = min((at for at in told if at is not None), default=None)
        needed = min(leg.sent for leg in self._legs.values()) if self._legs else self._tape.end
        needed = min(needed, self._replay_from(settled, first_told))
        if needed - self._tape.begin > _bytes(self.policy.recent_ms):
            self._tape.forget(needed)


def _bytes(ms: float) -> int:
    return int(ms * BYTES_PER_MS)
