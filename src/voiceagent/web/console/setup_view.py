"""What is set up and what is missing, grouped by what a business wants of its telephone.

Findings of the doctor and the names of settings flow in; groups in the reader's words flow out.
Of a setting nothing is told but whether it is set. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from voiceagent.web.console.setup_texts import SetupTexts


class Finding(Protocol):
    """One thing that was looked at, as the doctor tells it."""

    @property
    def area(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def said(self) -> str: ...
    @property
    def todo(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding in the reader's language, as far as there are words."""

    area: str
    level: str
    tone: str
    label: str
    said: str
    is_english: bool
    todo: str


@dataclass(frozen=True, slots=True)
class Group:
    """One thing that a business wants."""

    name: str
    title: str
    lead: str
    level: str
    """The worst of its findings."""
    tone: str
    label: str
    findings: tuple[Shown, ...]
    variables: tuple[tuple[str, bool], ...]
    """Each setting, and whether it is set."""
    docs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    areas: tuple[str, ...]
    variables: tuple[str, ...]
    docs: tuple[str, ...]


GROUPS: Final[Mapping[str, _Kind]] = {
    "calls": _Kind(
        ("twilio account", "twilio", "twilio number", "signatures", "public address"),
        ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER", "PUBLIC_BASE_URL"),
        ("docs/calls.md",),
    ),
    "speech": _Kind(
        ("speech", "stt", "tts", "engines"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "GCP_CREDENTIALS_JSON", "TTS_VOICE"),
        ("docs/google.md",),
    ),
    "thinking": _Kind(
        ("brain", "llm", "agent file"),
        ("LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY", "AGENT_FILE"),
        ("docs/llm.md", "docs/agent-file.md"),
    ),
    "whatsapp": _Kind(
        ("whatsapp", "whatsapp twilio"),
        ("BAILEYS_URL", "TWILIO_WHATSAPP_FROM"),
        ("docs/whatsapp.md", "docs/whatsapp-sidecar.md"),
    ),
    "payments": _Kind(
        ("paypal", "tranzila"),
        ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "TRANZILA_TERMINAL"),
        ("docs/payments.md",),
    ),
    "notices": _Kind(("owner",), ("OWNER_WHATSAPP", "OWNER_WEBHOOK_URL"), ("docs/notices.md",)),
    "storage": _Kind(
        ("database", "data", "recordings", "clock"),
        (
            *("DATABASE_URL", "RECORD_CALLS", "RECORDING_DAYS", "RETENTION_DAYS"),
            "KEEP_IDENTITY_NUMBERS",
        ),
        ("docs/operate.md", "docs/recording.md", "docs/privacy.md"),
    ),
    "service": _Kind(("settings",), ("API_KEY",), ("docs/console.md",)),
}
"""What has no group is the service's."""

_ORDER: Final = ("ok", "note", "warning", "broken")
_TONES: Final = {"ok": "good", "note": "", "warning": "warn", "broken": "bad"}


def groups(
    findings: Iterable[Finding], is_set: Mapping[str, bool], words: SetupTexts
) -> Sequence[Group]:
    """All groups that have something to tell. `is_set`: by the name of the setting."""
    of_group: dict[str, list[Finding]] = {name: [] for name in GROUPS}
    homes = {area: name for name, kind in GROUPS.items() for area in kind.areas}
    for finding in findings:
        of_group[homes.get(finding.area, "service")].append(finding)
    return [_group(name, found, is_set, words) for name, found in of_group.items() if found]


def variables() -> tuple[str, ...]:
    """Every setting that is told of."""
    return tuple(name for kind in GROUPS.values() for name in kind.variables)


def _group(
    name: str, findings: Sequence[Finding], is_set: Mapping[str, bool], words: SetupTexts
) -> Group:
    kind, texts = GROUPS[name], words.groups[name]
    # One of two ways is enough: what is in order makes up for what is not set up beside it.
    levels = {finding.level for finding in findings}
    level = max(levels - ({"note"} if "ok" in levels else set()), key=_ORDER.index)
    return Group(
        name,
        texts.title,
        texts.lead,
        level,
        _TONES[level],
        words.levels[level],
        # Two findings may be one sentence in the reader's language.
        tuple(dict.fromkeys(_shown(finding, words) for finding in findings)),
        tuple((variable, is_set.get(variable, False)) for variable in kind.variables),
        kind.docs,
    )


def _shown(finding: Finding, words: SetupTexts) -> Shown:
    ours = words.said.get((finding.area, finding.level), "")
    return Shown(
        finding.area,
        finding.level,
        _TONES[finding.level],
        words.levels[finding.level],
        ours or finding.said,
        not ours,
        finding.todo,
    )
