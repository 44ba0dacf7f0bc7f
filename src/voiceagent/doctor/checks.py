"""What was gathered from the outside parts, judged.

Facts and settings flow in, findings flow out: what is wrong in one sentence, and what to do.
Pure.
"""

from typing import Final

from voiceagent.doctor.facts import (
    ClockSeen,
    DatabaseSeen,
    DirectorySeen,
    Facts,
    NumberSeen,
    Outcome,
    RecognizerSeen,
    TwilioSeen,
    VoiceSeen,
)
from voiceagent.doctor.findings import Finding, Level
from voiceagent.settings import Settings
from voiceagent.twilio.twiml import INCOMING_CALL_PATH
from voiceagent.whatsapp.session_state import Session, in_words, what_to_do

CLOCK_WARNING_S: Final = 5.0
CLOCK_BROKEN_S: Final = 60.0
"""Google refuses keys signed by a clock that is minutes away, and so do signed webhooks."""
DISK_WARNING_BYTES: Final = 1 << 30
DISK_BROKEN_BYTES: Final = 100 << 20
VOICES_NAMED: Final = 6

_KEY_HELP: Final = (
    "Is the API enabled in the key's project, and the key not revoked? See docs/google.md."
)
_LOCAL_HELP: Final = "Install the local engines: pip install -e '.[local]' in the checkout"


def judge(settings: Settings, facts: Facts) -> list[Finding]:
    """A finding for everything that was asked."""
    findings = [Finding("engines", "broken", fault) for fault in facts.engine_faults]
    if facts.agent_fault:
        findings.append(
            Finding("agent file", "broken", facts.agent_fault, "See docs/agent-file.md.")
        )
    if facts.recognizer is not None:
        findings.append(recogniser(settings, facts.recognizer))
    if facts.voice is not None:
        findings.append(voice(settings, facts.voice))
    if facts.model is not None:
        findings.append(model(facts.model))
    if facts.twilio is not None:
        findings += twilio(settings, facts.twilio)
    if facts.public is not None:
        findings.append(public_address(facts.public))
    if facts.sidecar is not None:
        findings.append(sidecar(settings, facts.sidecar))
    if facts.database is not None:
        findings += database(facts.database)
    if facts.directory is not None:
        findings.append(directory(facts.directory))
    return [*findings, clock(facts.clocks)]


def recogniser(settings: Settings, seen: RecognizerSeen) -> Finding:
    """Speech-to-text."""
    area = "stt"
    if not seen.outcome.works:
        todo = _KEY_HELP if settings.stt_engine == "google" else _LOCAL_HELP
        return Finding(area, "broken", f"Speech-to-text does not work: {seen.outcome.said}", todo)
    if seen.refused_model:
        return Finding(
            area,
            "warning",
            f"The model {settings.stt_model} is not taken for {settings.stt_language}: Google"
            " chooses one.",
            "Remove STT_MODEL, or name one that knows the language.",
        )
    chosen = settings.stt_model or "its own model"
    return Finding(
        area, "ok", f"{settings.stt_engine} recognises {settings.stt_language} with {chosen}."
    )


def voice(settings: Settings, seen: VoiceSeen) -> Finding:
    """Text-to-speech."""
    area = "tts"
    if not seen.outcome.works:
        todo = _KEY_HELP if settings.tts_engine == "google" else _LOCAL_HELP
        return Finding(area, "broken", f"Text-to-speech does not work: {seen.outcome.said}", todo)
    wished = settings.tts_voice
    if wished is not None and settings.tts_engine == "google":
        missing = seen.offered is not None and wished not in seen.offered
        if missing or seen.used != wished:
            some = ", ".join((seen.offered or ())[:VOICES_NAMED])
            return Finding(
                area,
                "warning",
                f"The voice {wished} is not offered for {settings.agent_language}; callers hear"
                f" {seen.used or 'whichever Google takes'}.",
                f"TTS_VOICE=… of {some}" if some else "Remove TTS_VOICE.",
            )
    return Finding(area, "ok", f"{settings.tts_engine} speaks with {seen.used or 'its own voice'}.")


def model(seen: Outcome) -> Finding:
    """The language model. Without it the script takes over, so calls are taken all the same."""
    if seen.works:
        return Finding("llm", "ok", "The language model has said a word.")
    return Finding(
        "llm",
        "warning" if seen.retryable else "broken",
        f"The language model does not answer: {seen.said}",
        "Look at LLM_BASE_URL, LLM_MODEL and LLM_API_KEY; until then the script answers.",
    )


def twilio(settings: Settings, seen: TwilioSeen) -> list[Finding]:
    """The account, and where its number points."""
    if not seen.account.works:
        return [
            Finding(
                "twilio",
                "warning" if seen.account.retryable else "broken",
                f"Twilio's account: {seen.account.said}",
                "Look at TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN in Twilio's console.",
            )
        ]
    findings = [Finding("twilio", "ok", f"The account is {seen.account.said}.")]
    if seen.number_fault is not None:
        findings.append(
            Finding(
                "twilio number",
                "broken",
                f"Of TWILIO_PHONE_NUMBER nothing is known: {seen.number_fault.said}.",
                "Look at TWILIO_PHONE_NUMBER: it must be a number of this account.",
            )
        )
    if seen.number is not None:
        findings.append(_webhook(settings, seen.number))
    return findings


def _webhook(settings: Settings, number: NumberSeen) -> Finding:
    area = "twilio number"
    if number.taken_by:
        return Finding(
            area,
            "broken",
            f"{number.taken_by} answers its calls, not a webhook.",
            "Take the number away from it in Twilio's console (Phone Numbers, Voice).",
        )
    if settings.public_base_url is None:
        return Finding(
            area,
            "warning",
            f"Its calls go to {number.voice.url or 'nowhere'}; whether that is here is not known.",
            "PUBLIC_BASE_URL=https://…",
        )
    wanted = settings.public_base_url + INCOMING_CALL_PATH
    voice = number.voice
    if voice.is_answered_at(settings.public_base_url) and voice.fallback_url:
        return Finding(area, "ok", f"Its voice webhook points here: POST {wanted}.")
    if voice.is_answered_at(settings.public_base_url):
        return Finding(
            area,
            "warning",
            "Its voice webhook points here, but nobody answers while the service is away.",
            f"script/voiceagent twilio connect {settings.twilio_phone_number}",
        )
    there = f"{voice.method} {voice.url}" if voice.url else "nowhere"
    return Finding(
        area,
        "broken",
        f"Its calls go to {there}, not to POST {wanted}.",
        "script/voiceagent doctor --fix",
    )


def public_address(seen: Outcome) -> Finding:
    """Whether the service is reached where Twilio would look for it."""
    if seen.works:
        return Finding("public address", "ok", f"The service answers there{seen.said}.")
    return Finding(
        "public address",
        "warning",
        f"PUBLIC_BASE_URL is not answered by the service: {seen.said}",
        "Start it, and see to the proxy or tunnel before it.",
    )


def sidecar(settings: Settings, seen: Session | Outcome) -> Finding:
    """The WhatsApp sidecar; calls are taken without it."""
    area = "whatsapp"
    if isinstance(seen, Outcome):
        if seen.retryable and settings.baileys_url is None and settings.baileys_token is None:
            return Finding(area, "note", "No sidecar runs here.", "./start_all.sh")
        return Finding(area, "broken", f"{seen.said[:1].upper()}{seen.said[1:]}.")
    words = " ".join(in_words(seen))
    if seen.state == "open":
        return Finding(area, "ok", words)
    level: Level = "broken" if seen.wants_a_start else "warning"
    return Finding(area, level, words, what_to_do(seen) or "Look again in a minute.")


def database(seen: DatabaseSeen) -> list[Finding]:
    """The database and its tables."""
    area = "database"
    if not seen.outcome.works:
        return [
            Finding(
                area,
                "broken",
                f"The database does not work: {seen.outcome.said}.",
                "Look at DATABASE_URL; calls go on, their records wait in DATA_DIR.",
            )
        ]
    if not seen.begun_yet:
        return [Finding(area, "ok", f"{seen.outcome.said}.")]
    findings = [Finding(area, "ok", f"{seen.outcome.said}.")]
    if seen.pooled:
        findings.append(
            Finding(
                area,
                "warning",
                "A pooler sits between. One that gives connections away with each transaction"
                " breaks notifications, locks and prepared statements.",
                "Let DATABASE_URL name the server itself, or a pooler in session mode.",
            )
        )
    if seen.changed:
        findings.append(
            Finding(
                area,
                "broken",
                f"Applied, and another since: {', '.join(seen.changed)}.",
                "This database belongs to another version; restore it or take another one.",
            )
        )
    if seen.missing:
        findings.append(
            Finding(
                area, "broken", f"Not up to date: {', '.join(seen.missing)}.", "voiceagent migrate"
            )
        )
    elif seen.unknown:
        findings.append(
            Finding(
                area,
                "warning",
                f"It is ahead of this version: {', '.join(seen.unknown)}.",
                "Run the version that made it.",
            )
        )
    elif not seen.changed:
        findings.append(Finding(area, "ok", "Its tables are those of this version."))
    return findings


def directory(seen: DirectorySeen) -> Finding:
    """DATA_DIR."""
    area = "data"
    if seen.fault:
        return Finding(
            area, "broken", f"DATA_DIR, {seen.path}: {seen.fault}.", "DATA_DIR=/a/folder/of/ours"
        )
    free = seen.free_bytes
    told = f"{seen.path} can be written" + ("" if free is None else f", {_size(free)} are free")
    if free is not None and free < DISK_WARNING_BYTES:
        level: Level = "broken" if free < DISK_BROKEN_BYTES else "warning"
        return Finding(area, level, f"{told}.", "Make room: records wait there for the database.")
    return Finding(area, "ok", f"{told}.")


def clock(clocks: list[ClockSeen]) -> Finding:
    """Our clock against all others; the one that agrees most counts."""
    if not clocks:
        return Finding("clock", "note", "There was no other clock to compare with.")
    nearest = min(clocks, key=lambda one: abs(one.ahead_s))
    off_s = abs(nearest.ahead_s)
    direction = "ahead of" if nearest.ahead_s > 0 else "behind"
    told = f"It is {off_s:.0f} s {direction} that of {nearest.source}."
    if off_s > CLOCK_BROKEN_S:
        return Finding("clock", "broken", told, "Set it, and let it be kept by NTP.")
    if off_s > CLOCK_WARNING_S:
        return Finding("clock", "warning", told, "Let it be kept by NTP.")
    return Finding("clock", "ok", f"It agrees with that of {nearest.source}.")


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MB"
