"""A call in which everything happens that its page can show, as records; for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from voiceagent.crm.identity import uuid7
from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallbackRequested,
    CallEnded,
    CallRecord,
    CallStarted,
    ContactLearnt,
    TurnSpoken,
    WebhookAnswered,
)

BUSINESS = "+97231234567"
LENGTH_S = 64.0
WORDS = "WS_START STT_FINAL:1 EoU_ms=320:1 TTS_LEN_ms=1800:1 MEDIA_TX=90:1 BARGE_IN:2 WS_STOP"

# (who, what, status, heard, source, timings) in ms; the clock of an answer follows the caller's.
Spoken = tuple[str, str, str, str | None, str, Mapping[str, float]]

ENGLISH: tuple[Spoken, ...] = (
    ("agent", "Hello, this is Carmel Homes. How can I help you?", "complete", None, "opening",
     {"first_audio_at_ms": 40, "first_frame_at_ms": 60, "heard_at_ms": 300, "length_ms": 3200,
      "ended_at_ms": 3400, "heard_ms": 3200}),
    ("caller", "I am looking for a house with four rooms", "complete", None, "final",
     {"speech_started_at_ms": 4100, "speech_ended_at_ms": 6400, "eou_at_ms": 6720, "eou_ms": 320,
      "recognition_wait_ms": 0}),
    ("agent", ("With pleasure. In which town, and up to what price? We have some near the sea and "
     "some on the hill."), "interrupted", "With pleasure. In which town, and up to", "reply",
     {"speech_ended_at_ms": 6400, "eou_at_ms": 6720, "first_token_at_ms": 6960,
      "first_sentence_at_ms": 7020, "first_audio_at_ms": 7090, "first_frame_at_ms": 7100,
      "response_ms": 700, "heard_at_ms": 7340, "barge_in_onset_at_ms": 10_200,
      "barge_in_at_ms": 10_340, "length_ms": 6200, "ended_at_ms": 10_340, "heard_ms": 3200}),
    ("caller", "in Haifa, please", "complete", None, "final",
     {"speech_started_at_ms": 10_220, "speech_ended_at_ms": 11_500, "eou_at_ms": 11_840,
      "eou_ms": 340, "recognition_wait_ms": 0}),
    ("agent", ("Haifa it is. I have three houses there: one on Moriah Avenue, with a garden; one "
     "in the old town; and one by the park."), "complete", None, "reply",
     {"speech_ended_at_ms": 11_500, "eou_at_ms": 11_840, "first_token_at_ms": 13_500,
      "first_sentence_at_ms": 13_900, "first_audio_at_ms": 14_080, "first_frame_at_ms": 14_100,
      "response_ms": 2600, "heard_at_ms": 14_330, "barge_in_onset_at_ms": 17_000,
      "barge_in_at_ms": 17_150, "resumed_at_ms": 19_000, "length_ms": 8200,
      "ended_at_ms": 24_300, "heard_ms": 8200}),
    ("caller", "the one on Moriah Avenue", "complete", None, "final",
     {"speech_started_at_ms": 25_400, "speech_ended_at_ms": 27_000, "eou_at_ms": 27_330,
      "eou_ms": 330, "recognition_wait_ms": 0}),
    ("agent", "Shall I have somebody call you back about it?", "complete", None, "reply",
     {"speech_ended_at_ms": 27_000, "eou_at_ms": 27_330, "speculated_at_ms": 27_020,
      "first_token_at_ms": 27_200, "first_sentence_at_ms": 27_290, "first_audio_at_ms": 27_340,
      "first_frame_at_ms": 27_350, "response_ms": 350, "heard_at_ms": 27_600,
      "length_ms": 2900, "ended_at_ms": 30_400, "heard_ms": 2900}),
    ("caller", "050", "complete", None, "dtmf",
     {"speech_started_at_ms": 32_000, "speech_ended_at_ms": 33_200, "eou_at_ms": 33_600,
      "eou_ms": 400, "recognition_wait_ms": 0}),
    ("agent", "Thank you.", "abandoned", "", "reply",
     {"speech_ended_at_ms": 33_200, "eou_at_ms": 33_600, "first_sentence_at_ms": 33_610,
      "ended_at_ms": 33_900, "heard_ms": 0}),
    ("agent", "Are you still there?", "complete", None, "reprompt",
     {"first_audio_at_ms": 45_000, "first_frame_at_ms": 45_010, "length_ms": 1300,
      "ended_at_ms": 46_500, "heard_ms": 1300}),
    ("caller", "yes, that is right", "complete", None, "interim",
     {"speech_started_at_ms": 49_000, "speech_ended_at_ms": 50_100, "eou_at_ms": 50_700,
      "eou_ms": 600, "recognition_wait_ms": 0}),
    ("agent", "It is noted, somebody will call. Goodbye.", "complete", None, "goodbye",
     {"first_sentence_at_ms": 50_710, "first_audio_at_ms": 50_800, "first_frame_at_ms": 50_810,
      "length_ms": 2800, "ended_at_ms": 53_900, "heard_ms": 2800}),
)  # fmt: skip

HEBREW_TEXTS = (
    "שלום, כאן כרמל נכסים. במה אפשר לעזור?",
    "אני מחפש דירת ארבעה חדרים",
    "בשמחה. באיזו עיר, ועד איזה מחיר? יש לנו כמה דירות ליד הים וכמה על ההר.",
    "בחיפה, בבקשה",
    "מצוין, חיפה. יש לי שם שלוש דירות: אחת בשדרות מוריה, עם גינה; אחת בעיר התחתית; ואחת ליד הפארק.",
    "זאת בשדרות מוריה",
    "שמישהו יחזור אליך בקשר אליה?",
    "050",
    "תודה.",
    "אתם עדיין על הקו?",
    "כן, נכון",
    "רשמתי, יחזרו אליך. להתראות.",
)
HEBREW: tuple[Spoken, ...] = tuple(
    (who, text, status, None if heard is None else text[: len(heard) * len(text) // len(said)],
     source, timings)
    for (who, said, status, heard, source, timings), text in zip(ENGLISH, HEBREW_TEXTS, strict=True)
)  # fmt: skip


def told_call(
    sid: str,
    caller: str,
    *,
    began: datetime,
    spoken: tuple[Spoken, ...] = ENGLISH,
    name: str = "Dana Levi",
    **ending: Any,
) -> list[CallRecord]:
    """Its records; `began`: when the sound did."""

    def after(seconds: float) -> datetime:
        return began + timedelta(seconds=seconds)

    def answered(
        at: float, route: str, status: int, event: str = "", detail: str = ""
    ) -> CallRecord:
        return WebhookAnswered(
            call_sid=sid, at=after(at), id=str(uuid7()), route=route, status=status, event=event,
            detail=detail,
        )  # fmt: skip

    media = "/ws/twilio-media"
    records: list[CallRecord] = [
        answered(-0.9, "/webhook/incoming_call", 200),
        CallAnnounced(call_sid=sid, at=after(-0.9), caller=caller, called=BUSINESS),
        answered(0, media, 101, detail="stream started"),
        answered(0.2, "/webhook/stream_status", 204, "stream-started"),
        CallStarted(call_sid=sid, at=after(0), stream_sid=f"MZ{sid}"),
        ContactLearnt(call_sid=sid, at=after(20), fields={"name": name, "rooms": "4"}),
        CallbackRequested(
            call_sid=sid, at=after(50), key=f"{sid} 1", wished_at=after(7200),
            about="Moriah Avenue",
        ),
    ]  # fmt: skip
    number = 0
    for seq, (who, text, status, heard, source, timings) in enumerate(spoken):
        number += who == "caller"
        anchor = timings.get("eou_at_ms") if who == "caller" else timings.get("first_audio_at_ms")
        records.append(
            TurnSpoken(
                call_sid=sid, at=after((anchor or timings["ended_at_ms"]) / 1000), seq=seq,
                turn=number, who=who, text=text, heard=text if heard is None else heard,
                status=status, source=source, timings=dict(timings),
            )
        )  # fmt: skip
    if ending.get("is_over", True):
        records += [
            CallEnded(
                call_sid=sid, at=after(LENGTH_S), status=ending.get("status", "completed"),
                reason=ending.get("reason", "agent_hangup"),
                counters={"utterances": 5, "answers": 4, "barge_ins": 2, "false_interruptions": 1},
            ),
            answered(LENGTH_S + 0.1, media, ending.get("close", 1000), detail="socket closed"),
            answered(LENGTH_S + 0.1, media, ending.get("close", 1000), "log-words", WORDS),
            answered(LENGTH_S + 0.2, "/webhook/stream_ended", 204, detail="completed"),
        ]  # fmt: skip
    return records


def now() -> datetime:
    return datetime.now(UTC)
