"""The picture of a call as one file: strips under each other, with title, legend and looks.

What both ends uttered flows in, one SVG flows out, in light and dark. The strips themselves are
drawn by `voiceagent/turn_picture/`. Pure.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from voiceagent.turn_picture.blocks import WIDE, AgentBlock, CallerBlock, PictureWords
from voiceagent.turn_picture.strips import signs, strips

_TOP: Final = 74
_STYLE: Final = """
svg{--paper:#ffffff;--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;--lane:#f4f6f9;
--caller:#2f6fde;--aside:#8a63d2;--agent:#15867a;--eou:#b26a00;--stop:#cf2e2e;
background:var(--paper);font-family:system-ui,sans-serif;font-size:12px}
@media (prefers-color-scheme:dark){svg{--paper:#14181f;--ink:#e8ecf2;--soft:#9aa6b5;
--line:#303844;--lane:#1b212a;--caller:#6ea8ff;--aside:#b79bf0;--agent:#3fc3b2;--eou:#f0b04a;
--stop:#ff7b72}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.small{font-size:11px}
.title{font-size:17px;font-weight:600}.lane{fill:var(--lane)}.axis{stroke:var(--line)}
.caller{fill:var(--caller)}.aside{fill:var(--aside)}.agent{fill:var(--agent)}
.wait{stroke:var(--soft);stroke-width:1.2;fill:none}.eou{fill:var(--eou)}
.first{fill:var(--paper);stroke:var(--agent);stroke-width:1.6}
.stop{stroke:var(--stop);stroke-width:2}.stopword{fill:var(--stop);font-weight:600}
.resume{fill:none;stroke:var(--agent);stroke-width:1.4;stroke-dasharray:3 3}
.ms{font-weight:600}
"""
_WORDS: Final = PictureWords(
    caller="caller",
    agent="agent",
    ms="{ms} ms",
    eou="end of utterance {ms} ms after the caller's last sound",
    first_words="first token of the answer after {ms} ms",
    first_audio="first frame of the answer sent",
    stopped="agent stopped after {ms} ms",
)
_LEGEND: Final = (
    ("caller", "caller speaks"),
    ("aside", "cough"),
    ("agent", "agent is heard"),
    ("wait", "end of speech to first sound heard"),
    ("eou", "end of utterance"),
    ("first", "first audio sent"),
    ("stop", "agent interrupted"),
    ("resume", "goes on"),
)


def draw(
    title: str, duration_ms: float, caller: Sequence[CallerBlock], agent: Sequence[AgentBlock]
) -> str:
    """The picture as SVG text; all times in ms from the call's start."""
    drawn = strips(duration_ms, caller, agent, _WORDS, WIDE)
    height = _TOP + len(drawn) * WIDE.height
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE.width} {height}"'
            f' role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
        ),
        f'<text class="title" x="{WIDE.left}" y="26">{escape(title)}</text>',
        _legend(),
    ]
    parts += [
        f'<g transform="translate(0 {_TOP + index * WIDE.height})">\n{strip}\n</g>'
        for index, strip in enumerate(drawn)
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> str:
    """What the signs mean, under the title."""
    x, y = float(WIDE.left), 52
    drawn, parts = signs(), []
    for name, words in _LEGEND:
        parts.append(
            f'<g transform="translate({x:.0f} {y})">{drawn[name]}'
            f'<text class="soft small" x="24" y="0">{escape(words)}</text></g>'
        )
        x += 24 + len(words) * WIDE.letter + 20
    return "\n".join(parts)
