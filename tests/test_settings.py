import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.errors import SettingsError
from voiceagent.settings import Settings, load_settings

KEY = json.dumps({"type": "service_account", "project_id": "p", "private_key": "top secret"})


def faults(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.faults


class TestDefaults:
    def test_an_empty_environment_serves(self) -> None:
        settings = load_settings({})
        assert settings.host == "0.0.0.0"  # noqa: S104 - the address, not a socket
        assert settings.port == 8000
        assert (settings.stt_engine, settings.tts_engine) == ("local", "local")
        assert (settings.eou_min_ms, settings.eou_max_ms) == (300, 600)
        assert settings.barge_in_min_ms == 120
        assert settings.max_calls == 100
        assert settings.retention_days is None
        assert settings.record_calls is False
        assert settings.keep_identity_numbers is False
        assert settings.drain_seconds == 600
        assert settings.data_dir == Path("var")
        assert settings.log_format == "logfmt"
        assert settings.database_url is None
        assert not settings.checks_signatures

    def test_every_start_has_its_own_id(self) -> None:
        assert load_settings({}).deploy_id != load_settings({}).deploy_id
        assert load_settings({"DEPLOY_ID": "blue 7"}).deploy_id == "blue 7"

    def test_empty_and_foreign_variables_count_as_unset(self) -> None:
        settings = load_settings({"PORT": " ", "API_KEY": "", "HOME": "/root", "PATH": ""})
        assert settings.port == 8000
        assert settings.api_key is None


class TestEngines:
    @pytest.mark.parametrize(
        ("environ", "stt", "tts"),
        [
            ({"GCP_CREDENTIALS_JSON": KEY}, "google", "google"),
            ({"GOOGLE_STT_ENDPOINT": "insecure://127.0.0.1:9001"}, "google", "local"),
            ({"GOOGLE_TTS_ENDPOINT": "eu-texttospeech.googleapis.com"}, "local", "google"),
            ({"GCP_CREDENTIALS_JSON": KEY, "STT_ENGINE": "local"}, "local", "google"),
            ({"TTS_ENGINE": "google"}, "local", "google"),
            ({"BENCH_ENGINES": "1", "GCP_CREDENTIALS_JSON": KEY}, "bench", "bench"),
            ({"BENCH_ENGINES": "0"}, "local", "local"),
        ],
    )
    def test_which_engine_listens_and_which_speaks(
        self, environ: dict[str, str], stt: str, tts: str
    ) -> None:
        settings = load_settings(environ)
        assert (settings.stt_engine, settings.tts_engine) == (stt, tts)

    @pytest.mark.parametrize(
        ("environ", "stt", "agent"),
        [
            ({}, "en-US", "en-US"),
            ({"STT_ENGINE": "google"}, "he-IL", "he-IL"),
            ({"BENCH_ENGINES": "1"}, "he-IL", "he-IL"),
            ({"STT_LANGUAGE": "iw-IL"}, "he-IL", "he-IL"),
            ({"STT_LANGUAGE": "en-GB"}, "en-GB", "en-GB"),
            ({"AGENT_LANGUAGE": "he-IL"}, "en-US", "he-IL"),
        ],
    )
    def test_languages(self, environ: dict[str, str], stt: str, agent: str) -> None:
        settings = load_settings(environ)
        assert (settings.stt_language, settings.agent_language) == (stt, agent)

    def test_the_newer_api_of_google(self) -> None:
        settings = load_settings({})
        assert (settings.google_stt_api, settings.google_stt_recognizer) == ("v1", None)
        path = "projects/my-shop-1/locations/europe-west4/recognizers/_"
        settings = load_settings(
            {
                "GOOGLE_STT_API": "v2",
                "GOOGLE_STT_RECOGNIZER": path,
                "GOOGLE_STT_REGION": "europe-west4",
                "GOOGLE_STT_ENDPOINTING": "supershort",
            }
        )
        assert settings.google_stt_recognizer == path
        assert settings.google_stt_region == "europe-west4"
        assert settings.google_stt_endpointing == "supershort"


class TestPublicBaseUrl:
    @pytest.mark.parametrize(
        ("given_url", "normal"),
        [
            ("https://a.example.com", "https://a.example.com"),
            ("https://a.example.com/", "https://a.example.com"),
            ("https://a.example.com//", "https://a.example.com"),
            ("HTTPS://a.example.com:8443//x///y//", "https://a.example.com:8443/x/y"),
            ("https://[::1]:8443/", "https://[::1]:8443"),
        ],
    )
    def test_is_normalised(self, given_url: str, normal: str) -> None:
        assert load_settings({"PUBLIC_BASE_URL": given_url}).public_base_url == normal

    @pytest.mark.parametrize(
        "wrong",
        [
            "http://a.example.com",
            "a.example.com",
            "https://",
            "https:///path",
            "https://a b.example.com",
            'https://a"><Say>',
            "https://user:pass@a.example.com",
            "https://a.example.com:0",
            "https://a.example.com:99999",
            "https://a.example.com/?x=1",
            "https://a.example.com/#x",
            "https://a.example.com/<x>",
            "https://[::1",
        ],
    )
    def test_is_refused(self, wrong: str) -> None:
        (fault,) = faults(PUBLIC_BASE_URL=wrong)
        assert fault.startswith("PUBLIC_BASE_URL ")


class TestGoogleCredentials:
    def test_both_forms_at_once_name_both(self, tmp_path: Path) -> None:
        file = tmp_path / "key.json"
        file.write_text(KEY)
        (fault,) = faults(GOOGLE_APPLICATION_CREDENTIALS=str(file), GCP_CREDENTIALS_JSON=KEY)
        assert "GOOGLE_APPLICATION_CREDENTIALS" in fault
        assert "GCP_CREDENTIALS_JSON" in fault

    def test_a_file_that_is_not_there(self) -> None:
        (fault,) = faults(GOOGLE_APPLICATION_CREDENTIALS="/nowhere/key.json")
        assert "GOOGLE_APPLICATION_CREDENTIALS" in fault
        assert "/nowhere/key.json" in fault

    @pytest.mark.parametrize(
        "broken", ['{"type":"secret-word"', '["secret-word"]', "{}", "secret-word"]
    )
    def test_broken_json_is_never_printed(self, broken: str, tmp_path: Path) -> None:
        file = tmp_path / "key.json"
        file.write_text(broken)
        (of_file,) = faults(GOOGLE_APPLICATION_CREDENTIALS=str(file))
        (inline,) = faults(GCP_CREDENTIALS_JSON=broken)
        assert of_file.startswith("GOOGLE_APPLICATION_CREDENTIALS")
        assert inline.startswith("GCP_CREDENTIALS_JSON")
        assert "secret-word" not in of_file + inline

    def test_a_directory_or_a_binary_file(self, tmp_path: Path) -> None:
        binary = tmp_path / "binary"
        binary.write_bytes(b"\xff\xfe")
        assert len(faults(GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path))) == 1
        assert len(faults(GOOGLE_APPLICATION_CREDENTIALS=str(binary))) == 1


class TestSecrets:
    def test_a_secret_may_come_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("t0ken\n")
        settings = load_settings({"TWILIO_AUTH_TOKEN_FILE": str(file)})
        assert settings.twilio_auth_token is not None
        assert settings.twilio_auth_token.get_secret_value() == "t0ken"
        assert settings.checks_signatures

    def test_both_ways_at_once(self, tmp_path: Path) -> None:
        (fault,) = faults(API_KEY="hush", API_KEY_FILE=str(tmp_path / "x"))
        assert "API_KEY_FILE" in fault
        assert "hush" not in fault

    @pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff", b"x" * 70_000])
    def test_a_bad_file_names_its_variable(self, content: bytes | None, tmp_path: Path) -> None:
        file = tmp_path / "token"
        if content is not None:
            file.write_bytes(content)
        (fault,) = faults(API_KEY_FILE=str(file))
        assert fault.startswith("API_KEY_FILE: ")

    def test_nothing_prints_them(self) -> None:
        settings = load_settings(
            {
                "API_KEY": "hush1",
                "TWILIO_AUTH_TOKEN": "hush2",
                "DATABASE_URL": "postgresql://u:hush3@h/d",
                "GCP_CREDENTIALS_JSON": '{"type": "service_account", "k": "hush4"}',
            }
        )
        assert "hush" not in f"{settings} {settings!r} {settings.model_dump_json()}"
        wrong = faults(API_KEY="hush 1", TWILIO_AUTH_TOKEN="hush\x07", DATABASE_URL="hush3")
        assert "hush" not in "".join(wrong)
        assert [fault.split()[0] for fault in wrong] == [
            "DATABASE_URL",
            "API_KEY",
            "TWILIO_AUTH_TOKEN",
        ]


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "http"),
            ("PORT", "65536"),
            ("HOST", "a b"),
            ("STT_ENGINE", "whisper"),
            ("TTS_ENGINE", "bench"),
            ("BENCH_ENGINES", "maybe"),
            ("BENCH_REPLY_SECONDS", "0"),
            ("BENCH_REPLY_SECONDS", "nan"),
            ("TWILIO_SIGNATURE_CHECK", "2"),
            ("TWILIO_ACCOUNT_SID", "SK123"),
            ("GOOGLE_STT_ENDPOINT", "https://speech.googleapis.com"),
            ("GOOGLE_TTS_ENDPOINT", "insecure://"),
            ("GOOGLE_STT_API", "v3"),
            ("GOOGLE_STT_RECOGNIZER", "projects/shop/recognizers/_"),
            ("GOOGLE_STT_REGION", "eu.example.com"),
            ("GOOGLE_STT_ENDPOINTING", "soon"),
            ("STT_LANGUAGE", "hebrew!"),
            ("AGENT_LANGUAGE", "h"),
            ("AGENT_FILE", "/nowhere/agent.toml"),
            ("EOU_MIN_MS", "299"),
            ("EOU_MAX_MS", "601"),
            ("EOU_MIN_MS", "soon"),
            ("BARGE_IN_MIN_MS", "-1"),
            ("MAX_CALLS", "0"),
            ("WEB_CONCURRENCY", "many"),
            ("MAX_CALL_MINUTES", "241"),
            ("CALLS_PER_CALLER_HOUR", "-1"),
            ("CALLS_PER_CALLER_DAY", "many"),
            ("MESSAGES_PER_WRITER_HOUR", "61"),
            ("UNLIMITED_CALLERS", "0501234567"),
            ("DAILY_BUDGET", "20"),
            ("DAILY_BUDGET", "nothing"),
            ("PRICE_CALL_MINUTE", "a penny"),
            ("PRICE_CALL_MINUTE", "0.00000001"),
            ("PRICE_MESSAGE", "nan"),
            ("PRICE_LLM_IN_MILLION", "1000000000000000"),
            ("BUDGET_CURRENCY", "dollars"),
            ("RETENTION_DAYS", "0"),
            ("RECORD_CALLS", "sometimes"),
            ("RECORDING_DAYS", "0"),
            ("KEEP_IDENTITY_NUMBERS", "some"),
            ("RETENTION_DAYS", "a year"),
            ("DRAIN_SECONDS", "-1"),
            ("DRAIN_SECONDS", "inf"),
            ("LOG_FORMAT", "xml"),
            ("GIT_COMMIT", "a\nb"),
        ],
    )
    def test_each_is_one_line_that_names_its_variable(self, name: str, value: str) -> None:
        (fault,) = faults(**{name: value})
        assert fault.startswith(name)
        assert "\n" not in fault

    def test_all_come_at_once(self) -> None:
        told = faults(PORT="x", EOU_MIN_MS="100", STT_ENGINE="y", GCP_CREDENTIALS_JSON="z")
        assert {fault.split()[0] for fault in told} == {
            "PORT",
            "EOU_MIN_MS",
            "STT_ENGINE",
            "GCP_CREDENTIALS_JSON",
        }

    def test_other_silences_need_a_word(self) -> None:
        settings = load_settings({"EOU_MIN_MS": "100", "EOU_MAX_MS": "900", "EOU_UNSAFE": "1"})
        assert (settings.eou_min_ms, settings.eou_max_ms) == (100, 900)
        (fault,) = faults(EOU_MIN_MS="500", EOU_MAX_MS="400")
        assert "greater" in fault

    def test_a_value_with_line_breaks_is_told_in_one_line(self) -> None:
        with pytest.raises(SettingsError) as failure:
            load_settings({"GOOGLE_APPLICATION_CREDENTIALS": "no\nsuch\rfile"})
        assert all(len(fault.splitlines()) == 1 for fault in failure.value.faults)

    @given(
        st.dictionaries(
            st.sampled_from([name.upper() for name in Settings.model_fields]), st.text(max_size=30)
        )
    )
    def test_any_environment_makes_settings_or_faults(self, environ: dict[str, str]) -> None:
        told = ["none"]
        try:
            load_settings(environ)
        except SettingsError as error:
            told = error.faults
        assert told
        assert all("\n" not in fault for fault in told)


class TestLimits:
    def test_by_default_only_the_longest_call_is_limited(self) -> None:
        settings = load_settings({})
        assert settings.max_call_minutes == 60
        assert (settings.calls_per_caller_hour, settings.calls_per_caller_day) == (0, 0)
        assert (settings.messages_per_writer_hour, settings.daily_budget) == (0, 0)

    def test_a_budget_needs_a_price(self) -> None:
        (fault,) = faults(DAILY_BUDGET="20", PRICE_CALL_MINUTE="0.00")
        assert "PRICE_CALL_MINUTE" in fault
        settings = load_settings(
            {"DAILY_BUDGET": "20", "PRICE_CALL_MINUTE": "0.0085", "BUDGET_CURRENCY": "ils"}
        )
        assert settings.price_call_minute == Decimal("0.0085")
        assert settings.budget_currency == "ILS"

    def test_callers_without_a_limit(self) -> None:
        settings = load_settings({"UNLIMITED_CALLERS": "+972 50-123-4567, +97231234567"})
        assert settings.unlimited_callers == ("+972501234567", "+97231234567")


class TestWarnings:
    def test_they_say_what_is_open(self) -> None:
        assert "TWILIO_AUTH_TOKEN" in load_settings({}).warnings()[0]
        assert load_settings({"TWILIO_AUTH_TOKEN": "t"}).warnings() == []
        off = load_settings({"TWILIO_AUTH_TOKEN": "t", "TWILIO_SIGNATURE_CHECK": "0"})
        assert not off.checks_signatures
        assert "TWILIO_SIGNATURE_CHECK" in off.warnings()[0]
        assert "BENCH_ENGINES" in load_settings({"BENCH_ENGINES": "1"}).warnings()[1]


class TestWhatsApp:
    ACCOUNT = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "token"}  # noqa: RUF012

    def test_the_sender_may_be_written_as_twilio_writes_it(self) -> None:
        for written in ("+14155238886", "whatsapp:+14155238886", "whatsapp:+1 415-523-8886"):
            settings = load_settings({"TWILIO_WHATSAPP_FROM": written})
            assert settings.twilio_whatsapp_from == "+14155238886"
        assert faults(TWILIO_WHATSAPP_FROM="Twilio") == [
            "TWILIO_WHATSAPP_FROM must be a number such as +972501234567, not 'Twilio'."
        ]

    def test_a_sender_without_an_account_is_told(self) -> None:
        sender = {"TWILIO_WHATSAPP_FROM": "+14155238886"}
        assert not load_settings(sender).sends_by_twilio
        assert any("TWILIO_WHATSAPP_FROM" in line for line in load_settings(sender).warnings())
        assert load_settings(sender | self.ACCOUNT).sends_by_twilio

    def test_strangers_are_written_to_by_twilio_only_where_nothing_is_said_of_a_sidecar(
        self,
    ) -> None:
        twilio = self.ACCOUNT | {"TWILIO_WHATSAPP_FROM": "+14155238886"}
        assert load_settings(twilio).only_twilio_sends
        for said in ({"BAILEYS_URL": "http://127.0.0.1:3001"}, {"BAILEYS_TOKEN": "x" * 16}):
            assert not load_settings(twilio | said).only_twilio_sends
        assert not load_settings({}).only_twilio_sends

    def test_the_sidecar_is_where_it_was_told_to_listen(self) -> None:
        assert load_settings({}).baileys_url is None
        assert load_settings({"BAILEYS_PORT": "3002"}).baileys_url == "http://127.0.0.1:3002"
        elsewhere = {"BAILEYS_PORT": "3002", "BAILEYS_URL": "https://sidecar.example"}
        assert load_settings(elsewhere).baileys_url == "https://sidecar.example"
        assert faults(BAILEYS_PORT="harbour") == [
            "BAILEYS_PORT must be a whole number, not 'harbour'."
        ]

    def test_a_short_token_is_refused_without_being_shown(self) -> None:
        [fault] = faults(BAILEYS_TOKEN="hush")
        assert fault == "BAILEYS_TOKEN must have at least 16 characters."


class TestPayments:
    def test_without_any_key_all_of_them_are_missing(self) -> None:
        settings = load_settings({})
        assert settings.missing_for_paypal == ("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET")
        assert settings.missing_for_tranzila == (
            "TRANZILA_TERMINAL",
            "TRANZILA_APP_KEY",
            "TRANZILA_SECRET",
        )
        assert settings.paypal_base_url == "https://api-m.paypal.com"

    def test_secrets_may_come_from_files_and_are_never_printed(self, tmp_path: Path) -> None:
        environ = {"PAYPAL_CLIENT_ID": "id", "TRANZILA_TERMINAL": "t", "TRANZILA_APP_KEY": "hush0"}
        names = ("PAYPAL_CLIENT_SECRET", "TRANZILA_SECRET", "TRANZILA_PASSWORD")
        for number, name in enumerate(names, 1):
            (tmp_path / name).write_text(f"hush{number}\n")
            environ[f"{name}_FILE"] = str(tmp_path / name)
        settings = load_settings(environ)
        assert (settings.missing_for_paypal, settings.missing_for_tranzila) == ((), ())
        assert "hush" not in repr(settings)

    @pytest.mark.parametrize("name", ["PAYPAL_BASE_URL", "TRANZILA_BASE_URL"])
    def test_secrets_go_nowhere_in_clear_but_to_this_machine(self, name: str) -> None:
        (fault,) = faults(**{name: "http://api.example.com"})
        assert fault.startswith(name)
        for url in ("http://127.0.0.1:9001", "http://localhost:9001", "https://api.example.com"):
            assert getattr(load_settings({name: url}), name.lower()) == url

    def test_a_terminals_name_is_one_word(self) -> None:
        (fault,) = faults(TRANZILA_TERMINAL="a/b")
        assert fault.startswith("TRANZILA_TERMINAL")


class TestTraces:
    def test_by_default_there_are_none(self) -> None:
        settings = load_settings({})
        assert settings.otel_exporter_otlp_endpoint is None
        assert settings.trace_headers == {}

    def test_headers_as_the_standard_writes_them(self) -> None:
        given = "x-key=se%20cret, authorization = Bearer=="
        settings = load_settings({"OTEL_EXPORTER_OTLP_HEADERS": given})
        assert settings.trace_headers == {"x-key": "se cret", "authorization": "Bearer=="}

    @pytest.mark.parametrize(
        "headers", ["secret-1234", "=secret-1234", "x y=secret-1234", "x=secret-1234%0d%0aevil: 1"]
    )
    def test_headers_that_are_wrong_are_not_printed(self, headers: str) -> None:
        (fault,) = faults(OTEL_EXPORTER_OTLP_HEADERS=headers)
        assert fault.startswith("OTEL_EXPORTER_OTLP_HEADERS ")
        assert "secret-1234" not in fault

    def test_an_endpoint_that_is_none(self) -> None:
        (fault,) = faults(OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317")
        assert fault.startswith("OTEL_EXPORTER_OTLP_ENDPOINT must begin with https:// or http://")
