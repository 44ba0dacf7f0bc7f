"""Which bytes a request asks for."""

import pytest

from voiceagent.web.byte_range import ByteRange, NotSatisfiable, wanted_range


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "items=0-5"),
        *("bytes=0-1,3-4", "bytes=1", "bytes=0-1;x", "bytes=" + "9" * 40 + "-"),
    ],
)
def test_what_cannot_be_read_asks_for_everything(header: str | None) -> None:
    assert wanted_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("Bytes = 2-", ByteRange(2, 9)),
        ("bytes=-20", ByteRange(0, 9)),
        ("bytes=9-9", ByteRange(9, 9)),
    ],
)
def test_a_range_ends_with_the_file(header: str, expected: ByteRange) -> None:
    assert wanted_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_behind_the_end_there_is_nothing(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        wanted_range(header, 10)
