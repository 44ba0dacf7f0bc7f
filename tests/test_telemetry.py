import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.telemetry import (
    adopt_server_loggers,
    configure_logging,
    dropped_lines,
    mask_number,
    shutdown_logging,
    word,
)

CALL = "CA" + "1" * 32


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    servers = {name: logging.getLogger(name) for name in ("uvicorn", "uvicorn.access")}
    before = {name: (s.handlers[:], s.propagate, s.level) for name, s in servers.items()}
    yield
    shutdown_logging()
    root.setLevel(level)
    for name, server in servers.items():
        server.handlers, server.propagate, server.level = before[name]


class Log:
    """What was written, once everything that was queued is out."""

    def __init__(self, log_format: Any = "logfmt", **options: Any) -> None:
        self.stream = io.StringIO()
        configure_logging(log_format, self.stream, **options)

    def lines(self) -> list[str]:
        shutdown_logging()
        return self.stream.getvalue().splitlines()

    def line(self) -> str:
        (line,) = self.lines()
        return line


class TestWords:
    def test_a_word_is_a_token_beside_the_call(self) -> None:
        log = Log()
        word("WS_START", call_sid=CALL, stream_sid="MZ1")
        assert re.fullmatch(
            r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info "
            rf"WS_START call_sid={CALL} stream_sid=MZ1",
            log.line(),
        )

    def test_a_value_stands_on_the_word(self) -> None:
        log = Log()
        word("EoU_ms", 320, call_sid=CALL, turn=3, source=None, speculated=True, share=0.25)
        assert log.line().endswith(
            f" level=info EoU_ms=320 call_sid={CALL} turn=3 speculated=true share=0.25"
        )

    def test_in_json_the_word_is_the_event(self) -> None:
        log = Log("json")
        word("EoU_ms", 320, call_sid=CALL, turn=3)
        word("STT_FINAL", call_sid=CALL, text="שלום", turn=None)
        told = [json.loads(line) for line in log.lines()]
        assert [line.pop("level") for line in told] == ["info", "info"]
        assert all(line.pop("time").endswith("Z") for line in told)
        assert told == [
            {"event": "EoU_ms", "EoU_ms": 320, "call_sid": CALL, "turn": 3},
            {"event": "STT_FINAL", "call_sid": CALL, "text": "שלום"},
        ]

    def test_words_are_records_for_other_handlers_too(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("INFO"):
            word("MEDIA_TX", 150, call_sid=CALL)
        assert caplog.messages == [f"MEDIA_TX=150 call_sid={CALL}"]

    def test_a_call_sid_from_outside_stays_one_token(self) -> None:
        log = Log()
        word("WS_START", call_sid='CA1 WS_STOP call_sid=CA2\n"')
        assert log.line().split()[2:] == ["WS_START", "call_sid=CA1_WS_STOP_call_sid_CA2__"]

    @pytest.mark.parametrize(
        ("value", "token"),
        [
            ("house", "house"),
            ("שלום", "שלום"),
            ("", '""'),
            ("a b", '"a b"'),
            ("a=b", '"a=b"'),
            ('say "hi"', '"say \\"hi\\""'),
            ("a\\b", '"a\\\\b"'),
            ("a\nb\r\t", '"a\\nb\\r\\t"'),
            ("\x1b[2J", '"\\u001b[2J"'),
            ("a\u2028b", '"a\\u2028b"'),
            ("\u202eb", '"\\u202eb"'),
            ("\ud800", '"\\ud800"'),
        ],
    )
    def test_values_are_quoted_and_escaped(self, value: str, token: str) -> None:
        log = Log()
        word("STT_FINAL", call_sid=CALL, text=value)
        assert log.line().endswith(f" text={token}")

    @given(st.text(), st.text(alphabet=st.characters()))
    def test_any_text_stays_on_its_line(self, sid: str, text: str) -> None:
        for log_format in ("logfmt", "json"):
            log = Log(log_format)
            word("STT_FINAL", call_sid=sid, text=text)
            logging.getLogger("elsewhere").info("%s", text)
            lines = log.lines()
            assert len(lines) == 2
            assert all(line.isprintable() for line in lines)
            if log_format == "json":
                assert [json.loads(line)["level"] for line in lines] == ["info", "info"]


class TestMasking:
    @pytest.mark.parametrize(
        ("number", "masked"),
        [
            ("+972501234567", "+97250•••4567"),
            ("whatsapp:+972501234567", "whatsapp:+97250•••4567"),
            ("050-123-4567", "050•••4567"),
            ("+1 (202) 555-0143", "+1202•••0143"),
            ("1234567", "•••4567"),
            ("sip:972501234567@example.com", "sip:97250•••4567@example.com"),
            ("100", "100"),
            ("anonymous", "anonymous"),
            ("", ""),
        ],
    )
    def test_the_middle_of_a_number_is_hidden(self, number: str, masked: str) -> None:
        assert mask_number(number) == masked

    def test_no_line_shows_an_international_number(self) -> None:
        log = Log()
        word("WS_START", call_sid=CALL, caller="+972501234567")
        logging.getLogger("voiceagent.x").info("call from %s", "+972501234567")
        try:
            int("+972501234567x")
        except ValueError:
            logging.getLogger("voiceagent.x").exception("failed")
        text = "\n".join(log.lines())
        assert "501234567" not in text
        assert text.count("+97250•••4567") == 4

    @pytest.mark.parametrize(
        ("path", "masked"),
        [
            ("/api/x?q=0501234567", "/api/x?q=050•••4567"),
            ("/api/x?q=%2B972501234567&limit=5", "/api/x?q=+97250•••4567&limit=5"),
            ("/api/x?q=050-123-4567", "/api/x?q=050•••4567"),
            ("/console/calls?q=050+123+4567&day=", "/console/calls?q=050•••4567&day="),
            ("/console/calls?q=%28050%29+123-4567", "/console/calls?q=%28050%29+•••4567"),
            ("/console?q=%2B972+50+123+4567", "/console?q=+97250•••4567"),
            ("/phone?ticket=abc&x=1", "/phone?ticket=•••&x=1"),
            ("/x?api_key=abc", "/x?api_key=•••"),
            ("/x?a=1&Token=a.b-c", "/x?a=1&Token=•••"),
            ("/calendar/Zm9v-_YmFy.ics", "/calendar/•••.ics"),
            ("/calendar/Zm9vYmFy12345678?x=1", "/calendar/•••?x=1"),
            ("/pay/Zm9v.YmFy/done", "/pay/•••/done"),
            ("/calendar/", "/calendar/"),
            (f"/api/crm/calls/{CALL}", f"/api/crm/calls/{CALL}"),
            (
                "/x/01993847-1234-7123-8123-123456789012",
                "/x/01993847-1234-7123-8123-123456789012",
            ),
        ],
    )
    def test_the_access_log_hides_numbers_and_secrets(self, path: str, masked: str) -> None:
        log = Log()
        logging.getLogger("uvicorn.access").info(
            '%s - "%s %s HTTP/%s" %d', "192.168.100.200:54321", "GET", path, "1.1", 200
        )
        assert f'msg="192.168.100.200:54321 - \\"GET {masked} HTTP/1.1\\" 200"' in (
            log.line().replace("\\\\", "\\")
        )

    def test_our_own_lines_hide_the_secrets_of_paths_as_well(self) -> None:
        log = Log()
        logging.getLogger("voiceagent.x").warning("%s is away", "/calendar/S3cret.ics?token=abc")
        assert "/calendar/•••.ics?token=••• is away" in log.line()

    def test_a_password_in_a_url_is_hidden(self) -> None:
        log = Log()
        logging.getLogger("x").warning("no answer from postgresql://user:hush@host/db")
        assert "postgresql://user:•••@host/db" in log.line()


class TestWriter:
    def test_an_exception_is_one_line(self) -> None:
        log = Log()
        try:
            {}["broken\npart"]
        except KeyError:
            logging.getLogger("x").exception("it failed")
        line = log.line()
        assert 'logger=x msg="it failed" exc="Traceback' in line
        assert "KeyError: " in line
        assert "broken" in line

    def test_a_slow_stream_loses_lines_but_never_holds_up_the_caller(self) -> None:
        may_write = threading.Event()

        class Slow(io.StringIO):
            def write(self, text: str) -> int:
                assert may_write.wait(10)
                return super().write(text)

        stream = Slow()
        configure_logging("logfmt", stream, capacity=10)
        logger = logging.getLogger("x")
        for number in range(1000):
            logger.info("line %d", number)
        lost = dropped_lines()
        assert 1000 - 20 <= lost < 1000
        may_write.set()
        shutdown_logging()
        lines = stream.getvalue().splitlines()
        assert sum('msg="line ' in line for line in lines) == 1000 - lost
        told = re.findall(r"(\d+) log lines were dropped", stream.getvalue())
        assert sum(map(int, told)) == lost

    def test_a_record_that_cannot_be_rendered_is_told(self) -> None:
        log = Log("json")
        unknown_to_json: Any = object()
        word("WS_START", call_sid=CALL, field=unknown_to_json)
        logging.getLogger("x").info("next")
        first, second = map(json.loads, log.lines())
        assert first["level"] == "warning"
        assert "of voiceagent.words could not be written" in first["msg"]
        assert second["msg"] == "next"

    def test_a_closed_stream_ends_nothing(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as stream:
            configure_logging("logfmt", stream)
            logging.getLogger("x").info("into the void")
            shutdown_logging()
            with pytest.raises(BrokenPipeError):
                stream.flush()
            with pytest.raises(BrokenPipeError):
                stream.close()

    def test_a_terminal_without_unicode(self) -> None:
        raw = io.BytesIO()
        terminal = io.TextIOWrapper(raw, encoding="ascii")
        configure_logging("logfmt", terminal)
        logging.getLogger("x").info("שלום")
        shutdown_logging()
        assert rb"\u05e9" in raw.getvalue()

    def test_debug_lines_are_not_written(self) -> None:
        log = Log()
        logging.getLogger("x").debug("chatter")
        assert log.lines() == []

    def test_standard_output_is_the_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure_logging("logfmt")
        logging.getLogger("x").info("hello")
        shutdown_logging()
        assert capsys.readouterr().out.endswith("logger=x msg=hello\n")


class TestServerLoggers:
    def test_they_speak_through_our_handler(self) -> None:
        server, access = logging.getLogger("uvicorn"), logging.getLogger("uvicorn.access")
        for logger in (server, access):
            logger.handlers = [logging.StreamHandler(sys.stderr)]
            logger.propagate = False
            logger.setLevel(logging.INFO)
        log = Log()
        logging.getLogger("uvicorn.error").info("Started")
        access.info("GET")
        assert [line.split()[2] for line in log.lines()] == [
            "logger=uvicorn.error",
            "logger=uvicorn.access",
        ]

    def test_one_that_was_silenced_stays_silent(self) -> None:
        access = logging.getLogger("uvicorn.access")
        access.handlers, access.propagate = [], False
        log = Log()
        adopt_server_loggers()
        access.info("GET")
        assert log.lines() == []
