"""Findings of the doctor, grouped by what a business wants."""

import pytest

from voiceagent.doctor.configuration import configured
from voiceagent.doctor.findings import Finding
from voiceagent.settings import Settings, load_settings
from voiceagent.web.console.setup_texts import SETUP_EN, SETUP_HE
from voiceagent.web.console.setup_view import GROUPS, groups, variables


def test_every_setting_that_is_told_of_is_one() -> None:
    assert {name.lower() for name in variables()} <= set(Settings.model_fields)


def test_every_finding_of_the_settings_has_a_home_and_a_hebrew_sentence() -> None:
    areas = {area for kind in GROUPS.values() for area in kind.areas}
    for finding in configured(load_settings({})):
        assert finding.area in areas
        if (finding.area, finding.level) != ("settings", "warning"):
            assert (finding.area, finding.level) in SETUP_HE.said


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        (["note"], "note"),
        (["note", "ok"], "ok"),
        (["ok", "warning", "note"], "warning"),
        (["broken", "ok", "warning"], "broken"),
    ],
    ids=["one", "one of two", "warning", "broken"],
)
def test_a_group_is_as_its_worst_finding_but_one_way_is_enough(
    levels: list[str], level: str
) -> None:
    findings = [Finding("paypal", one, "") for one in levels]  # type: ignore[arg-type]
    [group] = groups(findings, {}, SETUP_EN)
    assert (group.name, group.level) == ("payments", level)


def test_what_nobody_foresaw_is_the_services() -> None:
    [group] = groups([Finding("moon", "broken", "It is gone.")], {}, SETUP_HE)
    assert group.name == "service"
    [shown] = group.findings
    assert (shown.said, shown.is_english) == ("It is gone.", True)


def test_findings_that_are_one_sentence_in_a_language_are_told_once() -> None:
    findings = [Finding("database", "ok", f"Sentence {n}.") for n in range(2)]
    assert len(groups(findings, {}, SETUP_EN)[0].findings) == 2
    assert len(groups(findings, {}, SETUP_HE)[0].findings) == 1
