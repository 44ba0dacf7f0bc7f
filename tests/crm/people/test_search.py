"""Names, numbers and words are found, page by page, at a bounded cost; on a real database."""

from dataclasses import replace

import pytest

from crm.message_records import received
from crm.records import CALLER, announced, ended, learnt, turn
from crm.somebody import DANA, GIL, settle
from voiceagent.crm.people import search as module
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.people.search import SNIPPET_CHARACTERS, Search, snippet
from voiceagent.crm.people.search_streams import CALLS, CONTACTS, MESSAGES, Stream
from voiceagent.crm.people.views import SearchHit
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import from_cursor, to_cursor
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import InvalidCursor

OTHER = "+12025550123"
PATIENT_S = 30.0
SLOW = replace(
    CALLS,
    candidates=f"SELECT 'CA1' FROM pg_sleep(30) UNION {CALLS.candidates}",  # noqa: S608 - our own
)


@pytest.fixture
def search(database: Database) -> Search:
    return Search(database, index_s=PATIENT_S)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


@pytest.fixture(params=["by rows", "by indexes"])
async def either(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are looked through, or indexes are asked behind the first row; what is found is the
    same."""
    if request.param == "by indexes":
        look_through(monkeypatch, 1)
    else:
        await database.pool.execute("DROP INDEX messages_trigrams")


def look_through(monkeypatch: pytest.MonkeyPatch, at_once: int, calls: Stream = CALLS) -> None:
    """So many rows are looked through at a time."""
    few = [replace(stream, at_once=at_once) for stream in (CONTACTS, calls, MESSAGES)]
    monkeypatch.setattr(module, "PHASES", ((few[0],), (few[1], few[2])))


async def all_of(search: Search, q: str, limit: int = 200) -> list[SearchHit]:
    hits: list[SearchHit] = []
    cursor = None
    while True:
        page = await search.find(q, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        hits += page.items
        if (cursor := page.next_cursor) is None:
            return hits


async def found(search: Search, q: str) -> list[tuple[str, str]]:
    return [(hit.kind, hit.id) for hit in await all_of(search, q)]


@pytest.mark.usefixtures("either")
async def test_it_finds_names_numbers_fields_turns_summaries_and_messages(
    search: Search, records: RecordsRepository, database: Database
) -> None:
    await records.apply(
        [
            *(announced("CA1"), learnt("CA1", name="נועה לוי", city="Haifa"), ended("CA1")),
            turn("CA1", 0, "דירה של 50% בחיפה"),
            turn("CA1", 1, "with a garden"),
            *(announced("CA2", OTHER, at=60), turn("CA2", 0, "A flat with 500 trees", at=61)),
            received("A", "the garden is large", at=90),
        ]
    )
    await database.pool.execute(
        "UPDATE calls SET summary = 'has a balcony', summary_source = 'llm' WHERE call_sid = 'CA1'"
    )
    by_phone = {c.phone: str(c.id) for c in (await ContactsRepository(database).page()).items}
    noa, other = ("contact", by_phone[CALLER]), ("contact", by_phone[OTHER])
    message = ("message", str(received("A").id))
    one, two = ("call", "CA1"), ("call", "CA2")
    assert await found(search, "נועה") == [noa, one]
    assert await found(search, "haifa") == [noa, one]
    assert await found(search, "בחיפה") == [one]
    assert await found(search, "50%") == [one]
    assert await found(search, "GARDEN") == [message, one]
    assert await found(search, "balcony") == [one]
    assert await found(search, "500 trees") == [two]
    for number in ("054-1234567", "+972 54 123 45", "(54) 12-34", "972541234567"):
        assert await found(search, number) == [noa, one]
    assert await found(search, "+1 (202) 555") == [other, two]
    for nothing in ("nowhere", "' OR 1=1 --", "__", "\x00\x00", "%%"):
        assert await found(search, nothing) == []


@pytest.mark.usefixtures("either")
async def test_a_hit_tells_whose_it_is_and_shows_the_words(
    search: Search, database: Database
) -> None:
    dana = await settle(database, DANA)
    await settle(database, GIL)
    hits = await all_of(search, dana.word.upper())
    kinds = [hit.kind for hit in hits]
    assert (kinds[0], kinds.count("contact"), kinds.count("call")) == ("contact", 1, 1)
    of_dana = [hit for hit in hits if hit.contact_id == dana.contact_id]
    assert {(hit.name, hit.phone) for hit in of_dana} == {(dana.word, dana.phone)}
    texts = [hit.text for hit in of_dana]
    assert f"{dana.word} street" in texts[0]
    assert {f"hello {dana.word}", f"edited {dana.word}"} <= set(texts)
    # Voice notes are found by what was said in them.
    notes = await all_of(search, f"{dana.word} says")
    assert {(note.kind, note.text) for note in notes} == {("message", f"{dana.word} says so")}


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_pages_follow_each_other_without_gap_or_repeat(
    search: Search, records: RecordsRepository, limit: int
) -> None:
    await records.apply(
        [
            record
            for n in range(6)
            for record in (
                announced(f"CA{n}", f"+120255501{n:02d}", at=n // 3),
                learnt(f"CA{n}", at=n // 3, name=f"Garden {n}"),
                turn(f"CA{n}", 0, "a garden", at=n // 3),
                received(f"M{n}", "a garden", phone=f"+120255501{n:02d}", at=n // 3),
            )
        ]
    )
    everything = await all_of(search, "garden")
    assert [hit.kind for hit in everything[:6]] == ["contact"] * 6
    assert len({(hit.kind, hit.id) for hit in everything}) == len(everything) == 18
    times = [hit.at for hit in everything[6:]]
    assert times == sorted(times, reverse=True)
    assert await all_of(search, "garden", limit) == everything


@pytest.mark.parametrize("at_once", [1, 2, 3, 50])
async def test_however_little_is_looked_through_at_a_time_everything_is_found(
    search: Search,
    records: RecordsRepository,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    for n in range(9):
        await records.apply(
            [
                *(announced(f"CA{n}", at=n // 2), turn(f"CA{n}", 0, f"call {n % 3}", at=n)),
                *(received(f"M{n}{m}", f"call {m % 3}", at=n // 2) for m in range(3)),
            ]
        )
    everything = await all_of(search, "call 0")
    assert len(everything) == 12
    look_through(monkeypatch, at_once)
    assert await all_of(search, "call 0", 5) == everything
    # Whoever is short of time is given what there is, and goes on from there.
    await search._database.pool.execute("DROP INDEX messages_trigrams")
    hurried = Search(search._database, budget_s=-1)
    pages = 0
    hits: list[SearchHit] = []
    cursor = None
    while True:
        page = await hurried.find("call 0", cursor=cursor, limit=5)
        hits += page.items
        pages += 1
        if (cursor := page.next_cursor) is None:
            break
    assert hits == everything
    assert pages > 9 / at_once


@pytest.mark.usefixtures("either")
async def test_an_index_finds_rare_words_without_many_requests(
    request: pytest.FixtureRequest, search: Search, records: RecordsRepository
) -> None:
    for n in range(6):
        await records.apply([announced(f"CA{n}", at=n), turn(f"CA{n}", 0, "a lemon"[n:], at=n)])
    # Whoever has no time goes no further than one stretch.
    hurried = Search(search._database, budget_s=-1, index_s=PATIENT_S)
    page = await hurried.find("a lemon")
    if "indexes" in request.node.name:
        page = await hurried.find("a lemon", cursor=page.next_cursor)
        assert [hit.id for hit in page.items] == ["CA0"]
    assert page.next_cursor is None or page.items == []


@pytest.mark.usefixtures("either")
async def test_words_beyond_what_is_indexed_of_a_long_text_are_found(
    search: Search, records: RecordsRepository
) -> None:
    long = "word " * 1000 + "and a lemon" + " 054-1234567"
    summary = "UPDATE calls SET summary = $1, summary_source = 'llm' WHERE call_sid = 'CA2'"
    await records.apply(
        [
            *(announced("CA1"), turn("CA1", 0, long), announced("CA2", caller=OTHER, at=1)),
            *(announced("CA3", at=2), learnt("CA3", city=long)),
            *(received("M1", long), received("M2", "a lemon")),
            *(received("M3", "short"), received("M4", "another")),
        ]
    )
    await search._database.pool.execute(summary, long)
    hits = await all_of(search, "a lemon", 2)
    assert hits[0].kind == "contact"
    assert {hit.id for hit in hits if hit.kind == "call"} == {"CA1", "CA2", "CA3"}
    assert [hit.kind for hit in hits].count("message") == 2
    assert [hit.kind for hit in await all_of(search, "054-1234567", 2)].count("message") == 1


@pytest.mark.parametrize("limit", [2, 50])
async def test_an_index_that_takes_too_long_is_done_without(
    search: Search, records: RecordsRepository, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    for n in range(4):
        await records.apply([announced(f"CA{n}", at=n), turn(f"CA{n}", 0, "a garden", at=n)])
    look_through(monkeypatch, 1, SLOW)
    # Also the pages that whoever is short of time is given, one after the other.
    for budget_s in (1, -1):
        impatient = Search(search._database, budget_s=budget_s, index_s=0.05)
        hits = await all_of(impatient, "garden", limit)
        assert [hit.id for hit in hits] == ["CA3", "CA2", "CA1", "CA0"]


async def test_the_page_after_an_index_that_took_too_long_goes_by_rows_at_once(
    search: Search, records: RecordsRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        await records.apply([announced(f"CA{n}", at=n), turn(f"CA{n}", 0, "a garden", at=n)])
    look_through(monkeypatch, 1, SLOW)
    impatient = Search(search._database, budget_s=-1, index_s=0.05)
    asked_again = []
    cursor: str | None = to_cursor("search", module._START_OF_WORDS)
    for _ in range(3):
        cursor = (await impatient.find("garden", cursor=cursor)).next_cursor
        after = from_cursor("search", cursor)
        assert after is not None
        asked_again.append(not after.id.startswith("rows "))
    assert asked_again == [False, True, False]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("זוהי הדירה הגדולה ביותר", "דירה"),
        ("ПРИВЕТ ИЗ ХАЙФЫ", "привет из х"),
        ("100% — “fine” \\ _done_", "% — “f"),
        ("100% — “fine” \\ _done_", "e” \\ _d"),
        ("a smile 🙂🙃🙂 of three", "🙂🙃🙂"),
        ("line one\nline two", "ONE\nLINE"),
        ("Ägypten, ÇA VA, Ελλάδα", "ça va, ελλ"),
    ],
    ids=["hebrew", "cyrillic", "signs", "backslash", "faces", "lines", "accents"],
)
@pytest.mark.usefixtures("either")
async def test_any_part_of_a_text_is_found_whatever_its_letters(
    search: Search, records: RecordsRepository, text: str, part: str
) -> None:
    await records.apply([received("A", text, at=1), received("B", "something newer", at=2)])
    assert await found(search, part) == [("message", str(received("A").id))]


@pytest.mark.usefixtures("either")
async def test_two_letters_are_found_though_they_have_no_trigram(
    search: Search, records: RecordsRepository
) -> None:
    await records.apply([received("A", "an ox", at=1), received("B", "a cow", at=2)])
    assert await found(search, "ox") == [("message", str(received("A").id))]


async def test_a_merged_contact_is_found_by_its_old_number(
    search: Search, records: RecordsRepository, database: Database
) -> None:
    await records.apply([announced("CA1"), announced("CA2", OTHER)])
    contacts = ContactsRepository(database)
    [one] = (await contacts.page(phone=CALLER)).items
    [other] = (await contacts.page(phone=OTHER)).items
    await Merging(database).merge(one.id, other.id)
    assert await found(search, "054-1234567") == [("contact", str(other.id)), ("call", "CA1")]


async def test_a_cursor_of_another_list_is_refused(search: Search) -> None:
    with pytest.raises(InvalidCursor):
        await search.find("x", cursor="x")


@pytest.mark.parametrize("length", [0, SNIPPET_CHARACTERS, 5000])
def test_a_snippet_shows_the_words(length: int) -> None:
    for before in (0, length // 3, length):
        text = "א" * before + "Garden" + "ב" * (length - before)
        shown = snippet(text, "gARDEN")
        assert "Garden" in shown
        assert len(shown) <= SNIPPET_CHARACTERS + 8
        assert shown.strip("…") in text
