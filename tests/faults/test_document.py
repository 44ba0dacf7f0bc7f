"""Rows of the table go into the document one by one, and the rest of it stays."""

from datetime import date

import pytest

from faults.document import BEGIN, COLUMNS, END, HEAD, Making, told_in, with_rows

ORDER = ("nothing is wrong", "database: away", "LLM: refused")


def row(name: str, heard: str) -> str:
    return f"| {name} | {heard} |" + " |" * (len(COLUMNS) - 2)


def document(*rows: str) -> str:
    table = "\n".join([*HEAD, *rows])
    return f"Before.\n{BEGIN}\n{table}\n\nHow it was made.\n{END}\nAfter.\n"


def making(**rows: str) -> Making:
    return Making(date(2026, 11, 27), 20, 2, rows, minutes=3.2, others=0.04)


def test_a_row_takes_the_place_of_the_one_before_in_the_order_of_the_faults() -> None:
    old = document(row("LLM: refused", "old"), row("nothing is wrong", "old"))
    made = making(**{"LLM: refused": row("LLM: refused", "new")})
    text = with_rows(old, made, ORDER)
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("Before.", "After.")
    assert lines[2:6] == [*HEAD, row("nothing is wrong", "old"), row("LLM: refused", "new")]
    assert "*LLM: refused*: made on 2026-11-27 with 20 callers each" in text


def test_what_was_said_of_the_other_rows_stays_until_all_are_made() -> None:
    text, made = document(), making()
    made.told_before = told_in(text)
    assert made.told_before == "How it was made."
    for name in ORDER:
        made.rows[name] = row(name, "new")
        text = with_rows(text, made, ORDER)
        assert text.count("Before: How it was made.") == (name != ORDER[-1])


def test_a_row_of_no_fault_any_more_is_left_out() -> None:
    text = with_rows(document(row("something of once", "old")), making(), ORDER)
    assert "something of once" not in text


def test_rows_go_in_one_after_the_other_until_all_are_made() -> None:
    text, made = document(), making()
    for name in ORDER:
        made.rows[name] = row(name, "new")
        text = with_rows(text, made, ORDER)
    assert [line for line in text.splitlines() if line.startswith("| ")][1:] == [
        row(name, "new") for name in ORDER
    ]
    assert "All rows: made on 2026-11-27" in text
    assert "took up to 4% of these" in text


def test_a_document_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="has no"):
        told_in("Nothing here.")
