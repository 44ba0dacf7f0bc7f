"""Whatever is told, lost, forged or killed, what is paid is settled once, and nothing else is."""

from pathlib import Path

from faults.payment_storm import Plan, run


async def test_the_api_is_killed_while_payments_are_paid_declined_and_forged(
    tmp_path: Path,
) -> None:
    plan = Plan(payments=120, kills=4, gap_s=0.8, longest_delay_s=1.0, at_once=12)
    found = await run(tmp_path, plan)
    assert found.wrong == [], found.report()
    assert found.killed == 4
    assert found.really_paid > 50
    assert found.statuses["paid"] == found.really_paid
    assert found.words["forged"] > 10
