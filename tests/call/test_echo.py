"""What is learnt of a phone's echo."""

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call.activity import WINDOW_MS
from voiceagent.call.echo import EchoGate, EchoPolicy

POLICY = EchoPolicy()
KNOWN = round(POLICY.known_after_ms / WINDOW_MS) + 1


def gate_after(returned_db: float | None, windows: int) -> EchoGate:
    """The gate when the agent, at -20 dBFS, came back so much quieter in so many windows."""
    gate = EchoGate(WINDOW_MS)
    for _ in range(windows):
        gate.learn(-20.0, None if returned_db is None else -20.0 - returned_db)
    return gate


def test_an_unknown_phone_is_taken_for_a_speakerphone() -> None:
    assert gate_after(45.0, 3).loss_db == POLICY.least_loss_db


def test_a_phone_without_echo_lets_quiet_callers_interrupt() -> None:
    assert gate_after(None, KNOWN).loss_db > 45


def test_a_phone_with_some_echo_is_kept_above_it() -> None:
    loss_db = gate_after(40.0, KNOWN).loss_db
    assert POLICY.least_loss_db < loss_db <= 40.0 - POLICY.margin_db + 0.1


def test_a_speakerphone_that_is_turned_on_is_learnt() -> None:
    gate = gate_after(None, 200)
    for _ in range(200):
        gate.learn(-20.0, -42.0)
    assert gate.loss_db < 22.0


def test_a_speakerphone_that_is_turned_off_is_forgotten() -> None:
    gate = gate_after(22.0, 200)
    for _ in range(200):
        gate.learn(-20.0, None)
    assert gate.loss_db > 45


SHORT = EchoPolicy(known_after_ms=1000, memory_ms=2000, loudest_share=0.12)
"""With windows of 100 ms: known after ten of them, and the echo is what two of twenty reach; the
third loudest counts."""


def short_gate(*returned_db: float | None) -> EchoGate:
    gate = EchoGate(100, SHORT)
    for loss_db in returned_db:
        gate.learn(-10.0, None if loss_db is None else -10.0 - loss_db)
    return gate


def test_a_phone_is_known_as_soon_as_it_was_heard_for_long_enough() -> None:
    assert short_gate(*[50.0] * 9).loss_db == SHORT.least_loss_db
    assert short_gate(*[50.0] * 10).loss_db == 46.0


def test_odd_loud_windows_are_no_echo() -> None:
    """A click, or the first window of a caller who talks over the agent."""
    assert short_gate(30.0, 30.0, *[50.0] * 18).loss_db == 46.0
    assert short_gate(30.0, 30.0, 30.0, *[50.0] * 17).loss_db == 26.0


def test_an_echo_counts_for_as_long_as_it_is_remembered() -> None:
    assert short_gate(30.0, 30.0, 30.0, *[None] * 17).loss_db == 26.0
    assert short_gate(30.0, 30.0, 30.0, *[None] * 18).loss_db > 45


def test_an_echo_louder_than_the_worst_phone_is_taken_for_the_worst() -> None:
    assert short_gate(*[5.0] * 20).loss_db == SHORT.least_loss_db


@given(st.lists(st.tuples(st.floats(-60, 0), st.none() | st.floats(-100, 0)), max_size=300))
def test_it_is_never_more_trusting_than_the_worst_phone(
    heard: list[tuple[float, float | None]],
) -> None:
    gate = EchoGate(WINDOW_MS)
    for agent_dbfs, level_dbfs in heard:
        gate.learn(agent_dbfs, level_dbfs)
        assert gate.loss_db >= POLICY.least_loss_db
