"""The call detail record: everything that is written down about one call.

What happens in the call flows in; log words, CRM records and metrics flow out,
none of which ever waits. It decides nothing.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from voiceagent.call.audio import FRAME_MS
from voiceagent.call.playout import Gap
from voiceagent.call.turn_events import UtteranceEnded
from voiceagent.call.turn_state import Counters
from voiceagent.crm.recording.call_models import CallEnded, CallStarted, ContactLearnt, TurnSpoken
from voiceagent.crm.recording.ports import Recorder
from voiceagent.metrics import Metrics, error_kind
from voiceagent.speech.ports import Recognition
from voiceagent.telemetry import word

_CORRECTABLE: Final = 16
"""Utterances, the newest: more than one number is given in."""

Status = Literal["speaking", "complete", "interrupted", "abandoned"]


@dataclass(slots=True)
class _ReplyDetail:
    seq: int
    turn: int
    source: str
    timings: dict[str, float] = field(default_factory=dict)
    released: bool = False
    length_logged: bool = False
    frames_before: int = 0
    """Frames the call had sent when this reply, or its last resumption, began to be sent."""


def _now() -> datetime:
    return datetime.now(UTC)


class CallDetail:
    """Writes down one call. Times ending in `_ms` are on the call's clock (0 at its start)."""

    def __init__(
        self, call_sid: str, recorder: Recorder, metrics: Metrics, next_seq: int = 0
    ) -> None:
        self.call_sid = call_sid
        self._recorder = recorder
        self._metrics = metrics
        self._started_at = _now()
        self.next_seq = next_seq
        """Of the turns of this call's record."""
        self._frames_counted = 0
        self._replies: dict[int, _ReplyDetail] = {}
        self._utterance_timings: dict[str, float] = {}
        self._utterances: deque[TurnSpoken] = deque(maxlen=_CORRECTABLE)
        self.learnt: dict[str, str] = {}

    # --- the call ---------------------------------------------------------------------------

    def started(self, stream_sid: str, *, simulated: bool, engines: str) -> None:
        word("WS_START", call_sid=self.call_sid, stream_sid=stream_sid, engines=engines)
        self._metrics.calls_started.inc()
        self._metrics.calls_live.inc()
        self._started_at = _now()
        self._recorder.record(
            CallStarted(
                call_sid=self.call_sid, at=_now(), stream_sid=stream_sid, simulated=simulated
            )
        )

    def ended(
        self, reason: str, counters: Counters, *, frames_in: int, frames_out: int, malformed: int
    ) -> None:
        word(
            "WS_STOP",
            call_sid=self.call_sid,
            reason=reason,
            utterances=counters.utterances,
            frames_in=frames_in,
            frames_out=frames_out,
            malformed=malformed,
        )
        metrics = self._metrics
        metrics.calls_live.dec()
        metrics.calls_ended.labels(reason).inc()
        metrics.call_seconds.observe((_now() - self._started_at).total_seconds())
        metrics.reprompts.inc(counters.reprompts)
        metrics.frames_in.inc(frames_in)
        self._count_frames(frames_out)
        metrics.malformed_messages.inc(malformed)
        metrics.guesses.labels("used").inc(counters.guesses_used)
        metrics.guesses.labels("wasted").inc(counters.guesses - counters.guesses_used)
        failed = reason in ("error", "socket_lost", "send_timeout")
        self._recorder.record(
            CallEnded(
                call_sid=self.call_sid,
                at=_now(),
                status="failed" if failed else "completed",
                reason=reason,
                counters={
                    "utterances": counters.utterances,
                    "answers": counters.answers,
                    "barge_ins": counters.barge_ins,
                    "false_interruptions": counters.false_interruptions,
                    "reprompts": counters.reprompts,
                    "guesses": counters.guesses,
                    "guesses_used": counters.guesses_used,
                    "frames_in": frames_in,
                    "frames_out": frames_out,
                    "malformed": malformed,
                },
            )
        )

    # --- the caller -------------------------------------------------------------------------

    def recognised(self, recognition: Recognition) -> None:
        if not recognition.is_final and recognition.text:
            word(
                "STT_PARTIAL",
                call_sid=self.call_sid,
                words=len(recognition.text.split()),
                stability=round(recognition.stability, 2),
            )

    def late(self, text: str) -> None:
        word("STT_LATE", call_sid=self.call_sid, words=len(text.split()))

    def utterance(
        self, ended: UtteranceEnded, *, started_at_ms: float, ended_at_ms: float, now_ms: float
    ) -> None:
        """`…_at_ms`: when the utterance's first and last voice arrived."""
        words = len(ended.text.split())
        if ended.source == "dtmf":
            word("DTMF", call_sid=self.call_sid, turn=ended.turn, digits=len(ended.text))
        else:
            word(
                "STT_FINAL",
                call_sid=self.call_sid,
                turn=ended.turn,
                source=ended.source,
                words=words,
            )
            word(
                "EoU_ms",
                round(ended.eou_ms),
                call_sid=self.call_sid,
                turn=ended.turn,
                cause=ended.cause,
                recognition_wait_ms=round(ended.recognition_wait_ms),
            )
            self._metrics.utterances.inc()
            self._metrics.eou_seconds.observe(ended.eou_ms / 1000.0)
            self._metrics.stt_wait_seconds.observe(ended.recognition_wait_ms / 1000.0)
        self._utterance_timings = {
            "speech_started_at_ms": started_at_ms,
            "speech_ended_at_ms": ended_at_ms,
            "eou_at_ms": now_ms,
            "eou_ms": ended.eou_ms,
            "recognition_wait_ms": ended.recognition_wait_ms,
        }
        spoken = TurnSpoken(
            call_sid=self.call_sid,
            at=_now(),
            seq=self._next_seq(),
            turn=ended.turn,
            who="caller",
            text=ended.text,
            heard=ended.text,
            source=ended.source,
            timings=_rounded(self._utterance_timings),
        )
        self._utterances.append(spoken)
        self._recorder.record(spoken)

    def correct(self, turn: int, text: str) -> None:
        """These are the words of an earlier utterance that may be kept."""
        for spoken in self._utterances:
            if spoken.turn == turn:
                update = {"text": text, "heard": text, "at": _now()}
                self._recorder.record(spoken.model_copy(update=update))

    def let_pass(self, text: str) -> None:
        """Words that interrupt nobody and are answered by nobody; empty: there were none."""
        if text:
            self._metrics.back_channels.inc()

    def ears_failed(self, engine: str, error: Exception) -> None:
        self._metrics.stt_errors.labels(engine, error_kind(error)).inc()

    def learn(self, fields: dict[str, str]) -> None:
        self.learnt |= fields
        self._recorder.record(ContactLearnt(call_sid=self.call_sid, at=_now(), fields=fields))

    # --- the agent --------------------------------------------------------------------------

    def reply_begins(self, reply: int, turn: int, source: str) -> None:
        timings = dict(self._utterance_timings) if source == "reply" else {}
        self._replies[reply] = _ReplyDetail(self._next_seq(), turn, source, timings)

    def speculated(self, reply: int, begun_at_ms: float, first_audio_at_ms: float | None) -> None:
        """The reply was begun before its utterance had ended."""
        self._at(reply, "speculated_at_ms", begun_at_ms)
        if first_audio_at_ms is not None:
            self._at(reply, "first_audio_at_ms", first_audio_at_ms)

    def first_token(self, reply: int, now_ms: float) -> None:
        self._at(reply, "first_token_at_ms", now_ms)

    def first_sentence(self, reply: int, now_ms: float) -> None:
        self._at(reply, "first_sentence_at_ms", now_ms)

    def audio_released(self, reply: int, text: str, now_ms: float) -> None:
        detail = self._replies.get(reply)
        if detail is None or detail.released:
            return
        detail.released = True
        self._at(reply, "first_audio_at_ms", now_ms)
        self._record(detail, text, "", "speaking")

    def frames_begin(self, reply: int, frames_sent: int, now_ms: float) -> None:
        """The first frame of the reply (or of its resumption) is being sent."""
        detail = self._replies.get(reply)
        if detail is None:
            return
        detail.frames_before = frames_sent
        if "first_frame_at_ms" not in detail.timings:
            self._at(reply, "first_frame_at_ms", now_ms)
            if "speech_ended_at_ms" in detail.timings:
                response_ms = now_ms - detail.timings["speech_ended_at_ms"]
                detail.timings["response_ms"] = response_ms
                self._metrics.response_seconds.observe(response_ms / 1000.0)
                self._observe_beginnings(detail.timings)

    def synthesised(self, reply: int, length_ms: float) -> None:
        """The answer is released to the playout: all of it, or all that ever will be."""
        detail = self._replies.get(reply)
        if detail is None or detail.length_logged or not detail.released:
            return
        detail.length_logged = True
        detail.timings["length_ms"] = length_ms
        word(
            "TTS_LEN_ms",
            round(length_ms),
            call_sid=self.call_sid,
            turn=detail.turn,
            source=detail.source,
        )

    def frames_end(self, reply: int, frames_sent: int, *, length_ms: float, stopped: bool) -> None:
        """The reply's last frame was sent, or its sending was stopped."""
        self._count_frames(frames_sent)
        detail = self._replies.get(reply)
        if detail is None or not detail.released:
            return
        self.synthesised(reply, length_ms)
        word(
            "MEDIA_TX",
            frames_sent - detail.frames_before,
            call_sid=self.call_sid,
            turn=detail.turn,
            stopped=stopped or None,
        )
        detail.frames_before = frames_sent

    def gaps(self, gaps: Sequence[Gap]) -> None:
        """Silences at the phone within what was sent."""
        metrics = self._metrics
        for gap in gaps:
            metrics.playout_gaps.labels(gap.cause).inc()
            metrics.playout_gap_seconds.observe(gap.ms / 1000.0)
            if gap.cause == "late":
                metrics.frames_late.inc(math.ceil(gap.ms / FRAME_MS))

    def voice_failed(self, engine: str, error: Exception) -> None:
        self._metrics.tts_errors.labels(engine, error_kind(error)).inc()

    def transfer(self, *, done: bool) -> None:
        """Twilio took the order to connect the caller, or did not."""
        self._metrics.transfers.labels("done" if done else "failed").inc()

    def heard_first(self, reply: int, now_ms: float) -> None:
        self._at(reply, "heard_at_ms", now_ms)

    def barge_in(self, reply: int, heard_ms: float, now_ms: float, *, onset_ms: float) -> None:
        """`onset_ms`: when the voice that stopped the agent arrived."""
        detail = self._replies.get(reply)
        word(
            "BARGE_IN",
            call_sid=self.call_sid,
            turn=detail.turn if detail else None,
            heard_ms=round(heard_ms),
            after_onset_ms=round(now_ms - onset_ms),
        )
        self._metrics.barge_ins.inc()
        self._metrics.barge_in_seconds.observe(max(0.0, now_ms - onset_ms) / 1000.0)
        self._at(reply, "barge_in_onset_at_ms", onset_ms)
        self._at(reply, "barge_in_at_ms", now_ms)

    def resumed(self, reply: int, from_ms: float, now_ms: float) -> None:
        detail = self._replies.get(reply)
        word(
            "RESUMED",
            call_sid=self.call_sid,
            turn=detail.turn if detail else None,
            from_ms=round(from_ms),
        )
        self._metrics.false_interruptions.inc()
        self._at(reply, "resumed_at_ms", now_ms)

    def reply_over(
        self, reply: int, *, text: str, heard: str, heard_ms: float, status: Status, now_ms: float
    ) -> None:
        detail = self._replies.get(reply)
        if detail is None:
            return
        self._at(reply, "ended_at_ms", now_ms)
        detail.timings["heard_ms"] = heard_ms
        if text or detail.released:
            self._record(detail, text, heard, status)
        del self._replies[reply]

    # --- inside -----------------------------------------------------------------------------

    def _record(self, detail: _ReplyDetail, text: str, heard: str, status: Status) -> None:
        self._recorder.record(
            TurnSpoken(
                call_sid=self.call_sid,
                # Of this version of the record: the youngest one counts.
                at=_now(),
                seq=detail.seq,
                turn=detail.turn,
                who="agent",
                text=text,
                heard=heard,
                status=status,
                source=detail.source,
                timings=_rounded(detail.timings),
            )
        )

    def _count_frames(self, frames_sent: int) -> None:
        more = max(0, frames_sent - self._frames_counted)
        self._frames_counted += more
        self._metrics.frames_out.inc(more)

    def _observe_beginnings(self, timings: dict[str, float]) -> None:
        metrics = self._metrics
        for name, histogram in (
            ("first_token_at_ms", metrics.first_token_seconds),
            ("first_sentence_at_ms", metrics.first_sentence_seconds),
            ("first_audio_at_ms", metrics.first_audio_seconds),
        ):
            if name in timings:
                # What was begun before the utterance was over may have been there by then.
                histogram.observe(max(0.0, timings[name] - timings["eou_at_ms"]) / 1000.0)

    def _at(self, reply: int, name: str, now_ms: float) -> None:
        if detail := self._replies.get(reply):
            detail.timings.setdefault(name, now_ms)

    def _next_seq(self) -> int:
        self.next_seq += 1
        return self.next_seq - 1


def _rounded(timings: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in timings.items()}
