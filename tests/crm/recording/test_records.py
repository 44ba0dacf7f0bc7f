"""Records as they lie on the disk are read back, and nothing of them is remembered."""

import gc
import sys

import pytest
from pydantic import ValidationError

from crm.records import turn
from voiceagent.crm.recording.records import record_of


def test_what_was_written_is_read() -> None:
    written = turn("CA1", 7)
    assert record_of(written.model_dump_json()) == written


@pytest.mark.parametrize("text", ["", "{}", '{"kind":"gossip"}', "[1", "null"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        record_of(text)


def test_short_strings_of_what_was_read_do_not_stay_in_memory() -> None:
    lines = [turn(f"CA{seq:032x}", seq).model_dump_json().encode() for seq in range(4000)]
    record_of(lines[0])
    gc.collect()
    before = sys.getallocatedblocks()
    for line in lines:
        record_of(line)
    gc.collect()
    assert sys.getallocatedblocks() - before < 400
