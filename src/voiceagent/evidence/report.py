"""The evidence pack as a document: Markdown, HTML and JSON with the raw answers.

Checks flow in, text flows out. International phone numbers in raw answers are masked. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Final

from voiceagent.evidence.check import Check, Verdict, all_pass
from voiceagent.telemetry import mask_number

_SHOWN: Final[dict[Verdict, str]] = {"passed": "passed", "failed": "FAILED", "left out": "left out"}
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}\b")
_STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;
--card:#f4f6f9;--good:#12703c;--bad:#c02626}
@media (prefers-color-scheme:dark){:root{--paper:#14181f;--ink:#e8ecf2;--soft:#9aa6b5;
--line:#303844;--card:#1b212a;--good:#5fd08f;--bad:#ff7b72}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:0;
overflow-wrap:anywhere}
main{max-width:1100px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0 0 4px}.soft{color:var(--soft)}.good{color:var(--good)}
.bad{color:var(--bad);font-weight:600}table{border-collapse:collapse;width:100%;margin-top:18px}
th,td{text-align:start;vertical-align:top;padding:7px 10px;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-size:13px}td:first-child{white-space:nowrap}
pre{background:var(--card);border-radius:8px;padding:12px;overflow:auto;max-height:420px;
font-size:12.5px;white-space:pre-wrap;overflow-wrap:anywhere}summary{cursor:pointer}
audio{width:100%;margin-top:14px}
"""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the pack tells."""

    when: str
    """ISO 8601, UTC."""
    base_url: str
    call: str
    """Which call it rests on, and that it was simulated where it was."""
    checks: Sequence[Check]
    has_recording: bool = False
    """`call.wav` lies beside the report."""

    @property
    def passed(self) -> bool:
        return all_pass(self.checks)

    @property
    def verdict(self) -> str:
        """One sentence."""
        counted = [check for check in self.checks if check.verdict != "left out"]
        good = sum(check.passed for check in counted)
        left_out = len(self.checks) - len(counted)
        more = f"; {left_out} left out on purpose" if left_out else ""
        return f"{good} of {len(counted)} checks passed{more}."


def as_json(report: Report) -> dict[str, Any]:
    """The same for programs."""
    return {
        "when": report.when,
        "base_url": report.base_url,
        "call": report.call,
        "passed": report.passed,
        "checks": [
            {name: _masked(value) for name, value in asdict(check).items()}
            for check in report.checks
        ],
    }


def markdown(report: Report) -> str:
    """The document for a repository or a ticket."""
    rows = [
        f"| {_SHOWN[check.verdict]} | {_cell(check.name)} | {_cell(check.figure)} |"
        for check in report.checks
    ]
    parts = [
        f"# Evidence pack: {'passed' if report.passed else 'FAILED'}",
        "",
        f"{report.verdict} {report.base_url}, {report.when}.",
        "",
        f"The call: {report.call}.",
        "",
        "| | what had to be so | what was seen |",
        "|---|---|---|",
        *rows,
        "",
    ]
    for check in report.checks:
        if check.raw or check.todo:
            parts += [f"## {_SHOWN[check.verdict]}: {check.name}", "", _masked(check.figure), ""]
        if check.todo:
            parts += [f"What to do: {check.todo}", ""]
        if check.raw:
            parts += ["````", _masked(check.raw), "````", ""]
    return "\n".join(parts)


def html(report: Report) -> str:
    """The page; it loads nothing but the recording beside it."""
    title = "Evidence pack: " + ("passed" if report.passed else "FAILED")
    recording = '<audio controls preload="metadata" src="call.wav"></audio>'
    rows = "".join(_html_row(check) for check in report.checks)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head><body><main>
<h1>{title}</h1>
<p class="{"good" if report.passed else "bad"}">{escape(report.verdict)}</p>
<p class="soft">{escape(report.base_url)}, {escape(report.when)}.
The call: {escape(report.call)}.</p>
{recording if report.has_recording else ""}
<table><tr><th>verdict</th><th>what had to be so</th><th>what was seen</th></tr>{rows}</table>
</main></body></html>
"""


def _html_row(check: Check) -> str:
    style = {"passed": "good", "failed": "bad", "left out": "soft"}[check.verdict]
    seen = f'<div dir="auto">{escape(_masked(check.figure))}</div>'
    if check.todo and not check.passed:
        seen += f'<div class="soft">What to do: {escape(check.todo)}</div>'
    if check.raw:
        raw = escape(_masked(check.raw))
        seen += f"<details><summary>raw answer</summary><pre>{raw}</pre></details>"
    return (
        f'<tr><td class="{style}">{_SHOWN[check.verdict]}</td>'
        f"<td>{escape(check.name)}</td><td>{seen}</td></tr>"
    )


def _cell(text: str) -> str:
    return " ".join(_masked(text).replace("|", "\\|").split())


def _masked(text: str) -> str:
    return _NUMBER.sub(lambda number: mask_number(number.group()), text)
