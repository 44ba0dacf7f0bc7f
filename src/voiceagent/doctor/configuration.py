"""What is set up and what is not, judged by the settings alone.

Settings flow in, findings flow out, each with the line to add to the environment. It asks
nobody and shows no secret. Pure.
"""

from collections.abc import Sequence

from voiceagent.doctor.findings import Finding
from voiceagent.settings import Settings

KEY_LINES = (
    "GOOGLE_APPLICATION_CREDENTIALS=/path/to/key.json\n"
    "# or its contents in one line:\n"
    "# GCP_CREDENTIALS_JSON='{…}'"
)
"""What can be copied as it stands; the pages show it in every language."""


def settings_faults(faults: Sequence[str]) -> list[Finding]:
    """The environment does not even make settings."""
    return [Finding("settings", "broken", fault, "Correct that variable.") for fault in faults]


def configured(settings: Settings) -> list[Finding]:
    """What is set up, what is missing."""
    return [
        Finding("settings", "ok", "Every variable can be read."),
        *(
            Finding("settings", "warning", sentence)
            for sentence in settings.warnings()
            # Told below, with the line to add.
            if not sentence.startswith("TWILIO_AUTH_TOKEN is not set")
        ),
        _speech(settings),
        _thinking(settings),
        *_telephony(settings),
        _twilio_whatsapp(settings),
        *_payments(settings),
        _owner(settings),
        _recordings(settings),
    ]


def _speech(settings: Settings) -> Finding:
    engines = f"Listens with {settings.stt_engine} ({settings.stt_language}),"
    engines += f" speaks with {settings.tts_engine}"
    if "local" in (settings.stt_engine, settings.tts_engine):
        return Finding(
            "speech",
            "note",
            f"{engines}. The local engines are for trying: the recogniser knows only English"
            " answers that the script expects. Google's know Hebrew and free speech.",
            KEY_LINES,
        )
    return Finding("speech", "ok", f"{engines}.")


def _thinking(settings: Settings) -> Finding:
    if settings.llm_base_url is None:
        return Finding(
            "brain",
            "note",
            "No language model: the script of the agent's file answers.",
            "LLM_BASE_URL=https://…/v1\nLLM_MODEL=…\nLLM_API_KEY=…",
        )
    return Finding("brain", "ok", f"{settings.llm_model} answers, with the script behind it.")


def _telephony(settings: Settings) -> list[Finding]:
    findings = []
    if settings.twilio_auth_token is None:
        findings.append(
            Finding(
                "signatures",
                "warning",
                "Webhooks and sockets are taken from anybody, since nobody can sign them.",
                "TWILIO_AUTH_TOKEN=…",
            )
        )
    elif settings.twilio_signature_check:
        findings.append(Finding("signatures", "ok", "What is not signed by Twilio is refused."))
    missing = [
        name
        for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER")
        if getattr(settings, name.lower()) is None
    ]
    if missing:
        findings.append(
            Finding(
                "twilio account",
                "note",
                "Calls are taken, but none can be placed or put through, and the number's"
                " webhook cannot be looked at.",
                "\n".join(f"{name}=…" for name in missing),
            )
        )
    if settings.public_base_url is None:
        findings.append(
            Finding(
                "public address",
                "warning" if settings.checks_signatures else "note",
                "The address that Twilio reaches is taken from each request; behind a proxy that"
                " changes the Host, signatures fail.",
                "PUBLIC_BASE_URL=https://…",
            )
        )
    return findings


def _twilio_whatsapp(settings: Settings) -> Finding:
    if settings.sends_by_twilio:
        return Finding("whatsapp twilio", "ok", "Messages can leave by a Twilio sender.")
    return Finding(
        "whatsapp twilio",
        "note",
        "No Twilio sender: WhatsApp goes by the sidecar only.",
        "TWILIO_WHATSAPP_FROM=+972…",
    )


def _payments(settings: Settings) -> list[Finding]:
    findings = []
    for name, missing in (
        ("paypal", settings.missing_for_paypal),
        ("tranzila", settings.missing_for_tranzila),
    ):
        if missing:
            todo = "\n".join(f"{variable}=…" for variable in missing)
            findings.append(Finding(name, "note", "No payments: it answers 501.", todo))
        else:
            findings.append(Finding(name, "ok", "Payment links can be made."))
    return findings


def _recordings(settings: Settings) -> Finding:
    if not settings.record_calls:
        return Finding("recordings", "note", "Calls are not recorded.", "RECORD_CALLS=1")
    if settings.recording_days is None and settings.retention_days is None:
        return Finding(
            "recordings",
            "warning",
            "Calls are recorded and kept for good: about 1 MB a minute in the database.",
            "RECORDING_DAYS=30",
        )
    return Finding("recordings", "ok", "Calls are recorded, once callers have heard so.")


def _owner(settings: Settings) -> Finding:
    if settings.owner_whatsapp or settings.owner_webhook_url:
        return Finding("owner", "ok", "The owner is told of calls and messages.")
    return Finding(
        "owner",
        "note",
        "Nobody is told of calls that were taken.",
        "OWNER_WHATSAPP=+972…\n# or:\n# OWNER_WEBHOOK_URL=https://…",
    )
