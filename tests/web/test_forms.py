import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from voiceagent.web import forms
from voiceagent.web.forms import MAX_FIELDS, TwilioForm, parse_form, read_form

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=15)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=10))
def test_every_field_comes_back_with_blanks_and_repeats(fields: list[tuple[str, str]]) -> None:
    assert parse_form(urlencode(fields).encode()).fields == tuple(fields)


@given(st.text(alphabet="ab=&+%2BFfé;", max_size=60) | TEXT)
def test_it_reads_as_the_standard_library_does(text: str) -> None:
    assert list(parse_form(text.encode()).fields) == parse_qsl(text, keep_blank_values=True)


@given(st.binary(max_size=200))
def test_any_bytes_are_fields(body: bytes) -> None:
    form = parse_form(body)
    assert not form.cut
    for name, value in form.fields:
        (name + value).encode()


def test_the_first_of_a_repeated_field() -> None:
    form = parse_form(b"a=1&b=&a=2")
    assert (form.get("a"), form.get("b"), form.get("c")) == ("1", "", "")


def test_more_fields_than_any_form_has_are_cut() -> None:
    exactly = parse_form(b"&".join(b"f=%d" % n for n in range(MAX_FIELDS)))
    more = parse_form(b"&".join(b"f=%d" % n for n in range(MAX_FIELDS + 1)))
    assert (len(exactly.fields), exactly.cut) == (MAX_FIELDS, False)
    assert more == TwilioForm(exactly.fields, cut=True)


async def test_a_form_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "READ_SECONDS", 0.05)
    pieces = [{"type": "http.request", "body": b"a=1&b=", "more_body": True}]

    async def receive() -> Any:
        if pieces:
            return pieces.pop()
        return await asyncio.Event().wait()

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    assert await read_form(request) == TwilioForm((("a", "1"), ("b", "")), cut=True)
