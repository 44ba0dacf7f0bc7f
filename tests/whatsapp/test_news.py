from uuid import UUID

from voiceagent.whatsapp.news import KnownFate, MessageNews

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_who_waits_is_woken_and_nobody_else() -> None:
    news = MessageNews()
    with news.of(ONE) as one, news.of(ONE) as again, news.of(OTHER) as other:
        news.tell(ONE, KnownFate("sent"))
        assert (one.came.is_set(), again.came.is_set(), other.came.is_set()) == (True, True, False)
        assert one.fate == KnownFate("sent")


def test_what_the_database_tells() -> None:
    news = MessageNews()
    for payload, fate in (
        (f"{ONE}", None),
        (f"{ONE} read", KnownFate("read")),
        (f"{ONE} sent {OTHER}", KnownFate("sent")),
        (f"{ONE} failed", None),  # the reason has to be looked up
        (f"{ONE} painted", None),
        ("", None),
    ):
        with news.of(ONE) as one:
            news.tell_text(payload)
            assert one.came.is_set()
            assert one.fate == fate


def test_nonsense_wakes_nobody() -> None:
    news = MessageNews()
    with news.of(ONE) as one:
        for payload in ("x", "x sent", f"{OTHER} sent"):
            news.tell_text(payload)
        assert not one.came.is_set()


def test_nothing_is_kept_for_those_who_are_gone() -> None:
    news = MessageNews()
    with news.of(ONE), news.of(ONE):
        pass
    news.tell(ONE)
    assert news._waiting == {}
