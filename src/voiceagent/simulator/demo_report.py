"""The report of a demonstration call: one HTML page and one JSON file.

Turns, checks and the picture flow in as data, text flows out. The page loads
nothing but the recording beside it. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Final

from voiceagent.simulator.demo_checks import Check, DemoTurn
from voiceagent.simulator.picture_file import draw
from voiceagent.simulator.results import CallResult, as_json, totals
from voiceagent.turn_picture.blocks import AgentBlock, CallerBlock

_STYLE: Final = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;
--card:#f4f6f9;--good:#12703c;--bad:#c02626}
@media (prefers-color-scheme:dark){:root{--paper:#14181f;--ink:#e8ecf2;--soft:#9aa6b5;
--line:#303844;--card:#1b212a;--good:#5fd08f;--bad:#ff7b72}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:0;
overflow-wrap:break-word}
main{max-width:1240px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 10px}
.soft{color:var(--soft)}.verdict{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px}
.figure{background:var(--card);border-radius:8px;padding:12px 14px}
.figure b{display:block;font-size:22px;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}.wide table{min-width:720px}audio{width:100%;margin:6px 0}
svg{box-sizing:border-box;width:100%;min-width:860px;height:auto;border-radius:8px;
border:1px solid var(--line)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:start;vertical-align:top;padding:7px 10px;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;font-size:13px}td.n{text-align:end;white-space:nowrap}
"""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Everything that the report tells."""

    when: str
    """ISO 8601, UTC."""
    version: Mapping[str, Any]
    result: CallResult
    record: Mapping[str, Any]
    turns: Sequence[DemoTurn]
    checks: Sequence[Check]
    agent: Sequence[AgentBlock]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def picture(report: DemoReport) -> str:
    """The SVG of the call."""
    title = f"One call, {report.result.duration_ms / 1000:.0f} seconds"
    caller = [_caller_block(turn) for turn in report.turns]
    return draw(title, report.result.duration_ms, caller, report.agent)


def json_report(report: DemoReport) -> dict[str, Any]:
    """The same for programs."""
    return {
        "when": report.when,
        "passed": report.passed,
        "checks": [asdict(check) for check in report.checks],
        "totals": totals([report.result]),
        "call": as_json(report.result),
        "turns": [
            {
                "said": turn.heard.uttered.text,
                "kind": turn.heard.uttered.kind,
                "understood": turn.understood,
                "turn": turn.number,
                "response_ms": turn.heard.response_ms,
                "barge_in_ms": turn.heard.barge_in_ms,
                "timings": dict(turn.timings),
                "replies": [dict(reply) for reply in turn.replies],
            }
            for turn in report.turns
        ],
        "record": dict(report.record),
        "version": dict(report.version),
    }


def html_report(report: DemoReport, svg: str) -> str:
    """The page; `call.wav` lies beside it."""
    good = sum(check.passed for check in report.checks)
    verdict = "The call worked" if report.passed else "The call did not work"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{verdict}: report of one spoken call</title><style>{_STYLE}</style></head><body><main>
<h1>Report of one spoken call</h1>
<p><span class="verdict {"good" if report.passed else "bad"}">{verdict}:
{good} of {len(report.checks)} checks passed.</span>
<span class="soft">{escape(report.when)}, commit {escape(str(report.version.get("commit", "")))},
call {escape(report.result.call_sid)}</span></p>
<div class="figures">{_figures(report)}</div>
<h2>What was said when</h2>
<audio controls preload="metadata" src="call.wav"></audio>
<p class="soft">The caller is on the left, the agent on the right, each as the other heard it.</p>
<div class="wide" tabindex="0">{svg}</div>
<h2>Turns</h2><div class="wide" tabindex="0">{_turn_table(report.turns)}</div>
<h2>Checks</h2><div class="wide" tabindex="0">{_check_table(report.checks)}</div>
<p class="soft">The response time is what the caller hears: from the end of the caller's own speech
to the first audible sound of the answer. The silence that ends an utterance is part of it. The log
of the service is in <a href="service.log">service.log</a>, all figures in
<a href="report.json">report.json</a>.</p>
</main></body></html>
"""


def _figures(report: DemoReport) -> str:
    figures = totals([report.result])
    eou = [turn.timings["eou_ms"] for turn in report.turns if "eou_ms" in turn.timings]
    understood = sum(turn.is_understood for turn in report.turns)
    cards = (
        ("caller turns understood", str(understood)),
        ("response, median", _ms(figures["response_p50_ms"])),
        ("response, slowest", _ms(figures["response_p95_ms"])),
        ("end of utterance after", f"{min(eou):.0f}–{max(eou):.0f} ms" if eou else "–"),
        ("agent stops after", _ms(figures["barge_in_p95_ms"])),
        ("late frames", f"{figures['late_frames']} of {figures['media_messages']}"),
    )
    return "".join(
        f'<div class="figure"><b>{escape(value)}</b><span class="soft">{escape(name)}</span></div>'
        for name, value in cards
    )


def _turn_table(turns: Sequence[DemoTurn]) -> str:
    heads = ("turn", "at", "caller said", "understood", "EoU_ms", "stopped", "heard after", "agent")
    rows = "".join(_turn_row(turn) for turn in turns)
    return f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>{rows}</table>"


def _turn_row(turn: DemoTurn) -> str:
    uttered = turn.heard.uttered
    if uttered.kind == "cough":
        understood = "not taken for words"
        answer = "went on where it was cut" if turn.heard.answered_ms is not None else ""
    else:
        understood = turn.understood or "nothing"
        answer = " ".join(str(reply["text"]) for reply in turn.replies)
    said = f"{uttered.text} (interrupts)" if uttered.interrupts else uttered.text
    cells = (
        ("n", str(turn.number or "")),
        ("n", f"{uttered.start_ms / 1000:.1f} s"),
        ("", said),
        ("", understood),
        ("n", _ms(turn.timings.get("eou_ms"))),
        ("n", _ms(turn.heard.barge_in_ms)),
        ("n", _ms(turn.heard.response_ms)),
        ("", answer),
    )
    inside = "".join(f'<td class="{style}">{escape(text)}</td>' for style, text in cells)
    return f"<tr>{inside}</tr>"


def _check_table(checks: Sequence[Check]) -> str:
    rows = "".join(
        f'<tr><td class="{"good" if check.passed else "bad"}">'
        f"{'passed' if check.passed else 'FAILED'}</td>"
        f"<td>{escape(check.name)}</td><td>{escape(check.figure)}</td></tr>"
        for check in checks
    )
    return (
        f"<table><tr><th>verdict</th><th>what had to be so</th><th>figure</th></tr>{rows}</table>"
    )


def _caller_block(turn: DemoTurn) -> CallerBlock:
    uttered = turn.heard.uttered
    reply = next((reply for reply in turn.replies if reply["source"] == "reply"), None)
    return CallerBlock(
        kind="aside" if uttered.kind == "cough" else "speech",
        text=uttered.text,
        start_ms=uttered.start_ms,
        end_ms=uttered.end_ms,
        eou_ms=turn.timings.get("eou_at_ms"),
        first_audio_ms=reply["timings"].get("first_frame_at_ms") if reply else None,
        answered_ms=turn.heard.answered_ms,
        stopped_ms=turn.heard.cleared_ms if uttered.interrupts else None,
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"
