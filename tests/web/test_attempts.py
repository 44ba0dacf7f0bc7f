"""Wrong keys, as time goes by."""

import pytest

from voiceagent.web.attempts import FAILURES, MOST_ADDRESSES, WINDOW_S, Attempts

NOW = 1_800.0


def failing(attempts: Attempts, address: str) -> None:
    for n in range(FAILURES):
        attempts.failed(address, f"wrong {n}", NOW)


def test_who_fails_too_often_waits_until_the_first_failure_is_a_minute_old() -> None:
    attempts = Attempts()
    for n in range(FAILURES):
        assert attempts.wait_s("192.0.2.1", NOW + n) == 0
        waits = attempts.failed("192.0.2.1", f"wrong {n}", NOW + n)
        assert waits == (n == FAILURES - 1)
    assert attempts.wait_s("192.0.2.1", NOW + FAILURES) == WINDOW_S - FAILURES
    assert attempts.wait_s("192.0.2.2", NOW + FAILURES) == 0
    assert attempts.wait_s("192.0.2.1", NOW + WINDOW_S) == 0


def test_a_guesser_has_five_keys_a_minute_however_long_it_goes_on() -> None:
    attempts, tried = Attempts(), 0
    for second in range(3600):
        if attempts.wait_s("192.0.2.1", NOW + second) == 0:
            attempts.failed("192.0.2.1", f"wrong {second}", NOW + second)
            tried += 1
    assert tried <= FAILURES * 3600 / WINDOW_S + FAILURES


def test_the_same_wrong_key_again_is_one_attempt() -> None:
    attempts = Attempts()
    for _ in range(100):
        assert not attempts.failed("192.0.2.1", "of last year", NOW)
    assert attempts.wait_s("192.0.2.1", NOW) == 0


def test_success_forgets_failures() -> None:
    attempts = Attempts()
    failing(attempts, "192.0.2.1")
    attempts.succeeded("192.0.2.1")
    assert attempts.wait_s("192.0.2.1", NOW) == 0


@pytest.mark.parametrize(
    ("one", "other", "waits"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("2001:db8:0:1::1", "", False),
        # As a socket for both versions tells addresses of version 4.
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_network_of_version_6_counts_as_one(one: str, other: str, waits: bool) -> None:
    attempts = Attempts()
    failing(attempts, one)
    assert (attempts.wait_s(other, NOW) > 0) == waits


def test_only_so_many_addresses_are_kept() -> None:
    attempts = Attempts()
    for n in range(MOST_ADDRESSES + 10):
        failing(attempts, f"10.0.{n // 250}.{n % 250}")
    assert attempts.wait_s("10.0.0.0", NOW) == 0
    assert attempts.wait_s("10.0.4.9", NOW) > 0
    assert len(attempts._failures) == MOST_ADDRESSES
