"""What was gathered, judged: each fault is named, with what to do."""

import re
from pathlib import Path

import pytest

from voiceagent.doctor import checks
from voiceagent.doctor.configuration import configured, settings_faults
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
from voiceagent.doctor.findings import Finding, as_json, is_well, lines
from voiceagent.settings import Settings
from voiceagent.twilio.number_setup import VoiceSetup
from voiceagent.whatsapp.session_state import Session

FINE = Outcome(works=True)
AWAY = Outcome(works=False, said="it cannot be reached")
HERE = "https://agent.example/webhook/incoming_call"


def settings(**given: object) -> Settings:
    return Settings.model_validate(given)


def number(
    url: str = HERE, method: str = "POST", fallback: str = "https://other.example/", **more: str
) -> NumberSeen:
    return NumberSeen("PN1", VoiceSetup(url, method, fallback, "GET"), **more)


def of_number(seen: NumberSeen, **given: object) -> Finding:
    given.setdefault("public_base_url", "https://agent.example")
    return checks.twilio(settings(**given), TwilioSeen(FINE, seen))[1]


@pytest.mark.parametrize("url", [HERE, f"{HERE}#rc=2&rp=ct"])
def test_a_number_that_points_here_is_in_order_however_twilio_asks(url: str) -> None:
    assert of_number(number(url)).level == "ok"


def test_a_number_without_a_fallback_is_a_warning_that_names_the_command() -> None:
    finding = of_number(number(fallback=""), twilio_phone_number="+97231234567")
    assert finding.level == "warning"
    assert "twilio connect +97231234567" in finding.todo


@pytest.mark.parametrize(
    "seen",
    [
        number("https://other.example/webhook/incoming_call"),
        number("https://agent.example//webhook/incoming_call"),
        number(HERE, "GET"),
        number(""),
    ],
)
def test_a_number_that_points_elsewhere_is_broken_and_can_be_fixed(seen: NumberSeen) -> None:
    finding = of_number(seen)
    assert finding.level == "broken"
    assert "--fix" in finding.todo


def test_a_number_that_a_trunk_answers_is_broken_and_no_fix_helps() -> None:
    finding = of_number(number(taken_by="A SIP trunk"))
    assert finding.level == "broken"
    assert "--fix" not in finding.todo


def test_where_we_are_is_asked_for_when_it_is_not_known() -> None:
    assert "PUBLIC_BASE_URL" in of_number(number(), public_base_url=None).todo


def test_a_refused_model_is_a_warning_that_names_it() -> None:
    seen = RecognizerSeen(FINE, refused_model=True)
    finding = checks.recogniser(settings(stt_engine="google", stt_model="latest_short"), seen)
    assert finding.level == "warning"
    assert "latest_short" in finding.said


def test_a_voice_that_is_not_offered_is_a_warning_with_some_that_are() -> None:
    seen = VoiceSeen(FINE, "he-IL-Wavenet-A", ("he-IL-Wavenet-A", "he-IL-Wavenet-B"))
    finding = checks.voice(settings(tts_engine="google", tts_voice="he-IL-Nobody"), seen)
    assert finding.level == "warning"
    assert "he-IL-Wavenet-B" in finding.todo


def test_engines_that_do_not_work_are_broken() -> None:
    assert checks.recogniser(settings(), RecognizerSeen(AWAY)).level == "broken"
    assert checks.voice(settings(), VoiceSeen(AWAY)).level == "broken"


def test_a_model_that_is_away_is_a_warning_and_one_that_refuses_is_broken() -> None:
    assert checks.model(AWAY).level == "warning"
    assert checks.model(Outcome(works=False, said="no key", retryable=False)).level == "broken"


def test_a_sidecar_that_nobody_asked_for_may_be_missing() -> None:
    assert checks.sidecar(settings(), AWAY).level == "note"
    assert checks.sidecar(settings(baileys_url="http://127.0.0.1:3001"), AWAY).level == "broken"


def test_a_sidecar_tells_its_state() -> None:
    assert checks.sidecar(settings(), Session(state="open")).level == "ok"
    unpaired = checks.sidecar(settings(), Session(state="pairing"))
    assert (unpaired.level, "whatsapp pair" in unpaired.todo) == ("warning", True)
    assert checks.sidecar(settings(), Session(state="failed")).level == "broken"


def test_missing_migrations_are_broken_and_later_ones_a_warning() -> None:
    missing = checks.database(DatabaseSeen(FINE, missing=("0002_desk.sql",)))
    assert (missing[-1].level, missing[-1].todo) == ("broken", "voiceagent migrate")
    assert checks.database(DatabaseSeen(FINE, unknown=("0999_later.sql",)))[-1].level == "warning"
    assert checks.database(DatabaseSeen(FINE, changed=("0001_calls.sql",)))[-1].level == "broken"
    assert [one.level for one in checks.database(DatabaseSeen(FINE))] == ["ok", "ok"]


def test_a_pooler_is_told() -> None:
    assert any("pooler" in one.said for one in checks.database(DatabaseSeen(FINE, pooled=True)))


@pytest.mark.parametrize(
    ("free", "level"), [(10 << 30, "ok"), (500 << 20, "warning"), (1 << 20, "broken")]
)
def test_a_full_disk_is_told(free: int, level: str) -> None:
    assert checks.directory(DirectorySeen(Path("var"), free_bytes=free)).level == level


@pytest.mark.parametrize(
    ("ahead_s", "level"), [(0.4, "ok"), (-4.0, "ok"), (8.0, "warning"), (-300.0, "broken")]
)
def test_the_clock_is_compared(ahead_s: float, level: str) -> None:
    assert checks.clock([ClockSeen("Twilio", ahead_s)]).level == level


def test_one_clock_that_is_wrong_does_not_blame_ours() -> None:
    assert checks.clock([ClockSeen("a", 400.0), ClockSeen("b", 0.1)]).level == "ok"


def test_faults_of_the_environment_are_broken_one_by_one() -> None:
    findings = settings_faults(["PORT must be a number.", "EOU_MIN_MS must be within."])
    assert [finding.level for finding in findings] == ["broken", "broken"]


def test_what_is_missing_comes_with_the_line_to_add() -> None:
    todo = "\n".join(finding.todo for finding in configured(settings()))
    for name in ("TWILIO_AUTH_TOKEN", "LLM_BASE_URL", "PAYPAL_CLIENT_ID", "TRANZILA_TERMINAL"):
        assert f"{name}=" in todo


def test_what_is_to_be_added_can_be_copied_as_it_stands() -> None:
    for finding in configured(settings()):
        for line in finding.todo.splitlines():
            assert re.fullmatch(r"#.*|[A-Z_]+=\S+", line), finding


@pytest.mark.parametrize(
    ("given", "level", "todo"),
    [
        ({}, "note", "RECORD_CALLS=1"),
        ({"record_calls": True}, "warning", "RECORDING_DAYS=30"),
        ({"record_calls": True, "recording_days": 30}, "ok", ""),
        ({"record_calls": True, "retention_days": 365}, "ok", ""),
    ],
)
def test_recordings_that_nobody_will_ever_delete_are_warned_of(
    given: dict[str, object], level: str, todo: str
) -> None:
    [finding] = [one for one in configured(settings(**given)) if one.area == "recordings"]
    assert (finding.level, finding.todo) == (level, todo)


def test_no_secret_is_ever_told() -> None:
    secrets = {
        "twilio_auth_token": "auth-secret-1",
        "llm_api_key": "llm-secret-2",
        "paypal_client_secret": "paypal-secret-3",
        "tranzila_secret": "tranzila-secret-4",
        "api_key": "api-secret-5",
        "baileys_token": "baileys-secret-678",
        "database_url": "postgresql://u:database-secret-9@h/d",
    }
    given = settings(
        **secrets, llm_base_url="https://m/v1", llm_model="m", paypal_client_id="c",
        twilio_account_sid="AC1", tranzila_terminal="t", tranzila_app_key="k",
    )  # fmt: skip
    facts = Facts(database=DatabaseSeen(AWAY), sidecar=AWAY, model=AWAY)
    findings = [*configured(given), *checks.judge(given, facts)]
    told = "\n".join([*lines(findings, colour=True), str(as_json(findings))])
    assert "secret-" not in told


def test_warnings_are_allowed_and_what_is_broken_is_not() -> None:
    warned = [Finding("a", "ok", ""), Finding("b", "warning", ""), Finding("c", "note", "")]
    assert is_well(warned)
    assert not is_well([*warned, Finding("d", "broken", "")])
    assert as_json(warned)["well"] is True


def test_lines_to_add_are_never_wrapped() -> None:
    todo = "GCP_CREDENTIALS_JSON=" + "x" * 200
    assert any(
        line.endswith(todo) for line in lines([Finding("a", "note", "b", todo)], colour=False)
    )
