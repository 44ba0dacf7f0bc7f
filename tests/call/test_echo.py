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


@given(st.lists(st.tuples(st.floats(-60, 0), st.none() | st.floats(-100, 0)), max_size=300))
def test_it_is_never_more_trusting_than_the_worst_phone(
    heard: list[tuple[float, float | None]],
) -> None:
    gate = EchoGate(WINDOW_MS)
    for agent_dbfs, level_dbfs in heard:
        gate.learn(agent_dbfs, level_dbfs)
        assert gate.loss_db >= POLICY.least_loss_db
