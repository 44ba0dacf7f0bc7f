"""The pay page's HTML: one small page, right to left in Hebrew, without a script or anything
from elsewhere.

What is to be shown flows in, text flows out; everything from outside is escaped. Pure. The
policy lets a browser load nothing and send the form to nobody but us and the providers.
"""

import base64
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from voiceagent.payments.money import Money
from voiceagent.payments.ports import ProviderName
from voiceagent.payments.wording import WORDS, Language, PageWords

View = Literal[
    "to_pay",
    "not_accepted",
    "left_unpaid",
    "confirming",
    "paid",
    "refunded",
    "cancelled",
    "expired",
    "unknown",
    "trouble",
]

REFRESH_S: Final = 4

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5d6877;--paper:#fff;--ground:#eef1f5;
--line:#dfe4ea;--act:#0b5fff;--on-act:#fff;--good:#0f7b45;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#eef1f5;--soft:#a7b1be;--paper:#1a212b;
--ground:#0f141b;--line:#2d3743;--act:#5b93ff;--on-act:#0b1220;--good:#4cc38a;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:20px;
background:var(--ground);color:var(--ink);
font:17px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans Hebrew",Arial,sans-serif}
main{width:100%;max-width:420px;background:var(--paper);border:1px solid var(--line);
border-radius:16px;padding:28px 24px}
.business{margin:0 0 20px;font-size:16px;font-weight:600;color:var(--soft)}
h1{margin:0;font-size:22px;line-height:1.3}
.label{margin:0;font-size:14px;color:var(--soft)}
.amount{margin:0 0 16px;font-size:40px;line-height:1.2;font-weight:700;
font-variant-numeric:tabular-nums}
.for{margin:0 0 24px;overflow-wrap:anywhere}
.note{margin:0 0 20px;padding-inline-start:12px;border-inline-start:3px solid var(--bad)}
button,.again{display:block;width:100%;padding:14px;border:0;border-radius:12px;
background:var(--act);color:var(--on-act);font:inherit;font-weight:600;text-align:center;
text-decoration:none;cursor:pointer}
button:focus-visible,a:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
.safe,.more{margin:16px 0 0;font-size:14px;color:var(--soft)}
.sign{display:grid;place-items:center;width:56px;height:56px;margin:0 0 16px;border-radius:50%;
border:3px solid currentColor;font-size:28px;line-height:1}
.paid .sign,.refunded .sign{color:var(--good)}
.cancelled .sign,.expired .sign,.unknown .sign,.trouble .sign{color:var(--bad)}
.confirming .sign{color:var(--soft)}
.sum{margin:8px 0 0;font-variant-numeric:tabular-nums}
.language{display:inline-block;margin-top:24px;color:var(--soft);font-size:14px}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_SIGNS: Final[dict[View, str]] = {
    "confirming": "…",
    "paid": "✓",
    "refunded": "↺",
    "cancelled": "✕",
    "expired": "✕",
    "unknown": "?",
    "trouble": "!",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What is to be shown."""

    view: View
    language: Language
    business: str
    action: str
    """Path of the page, to which the form is sent; empty where there is no payment."""
    provider: ProviderName | None = None
    money: Money | None = None
    what_for: str = ""
    refresh_to: str = ""
    """Where the page looks again by itself; empty: it does not."""


def headers(payer_origins: Collection[str]) -> dict[str, str]:
    """What a browser is told of every page. A form's answer leads on to the provider, which
    counts as sending it there."""
    allowed = " ".join(["'self'", *sorted(payer_origins)])
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        f"form-action {allowed}; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        # The address is all that it takes to see the page.
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-Robots-Tag": "noindex, nofollow",
    }


def page_html(page: Page) -> str:
    """The whole document."""
    words = WORDS[page.language]
    refresh = ""
    if page.refresh_to:
        refresh = f'<meta http-equiv="refresh" content="{REFRESH_S};url={escape(page.refresh_to)}">'
    business = f'<p class="business">{_isolated(page.business)}</p>' if page.business else ""
    title = f"{words.title} – {page.business}" if page.business else words.title
    return (
        f'<!doctype html>\n<html lang="{words.language}" dir="{words.direction}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{refresh}<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f'<body>\n<main class="{page.view}">\n{business}\n{_content(page, words)}\n'
        f"{_other_language(page, words)}</main>\n</body>\n</html>\n"
    )


def _content(page: Page, words: PageWords) -> str:
    match page.view:
        case "to_pay":
            return _form(page, words, "")
        case "not_accepted":
            return _form(page, words, words.not_accepted)
        case "left_unpaid":
            return _form(page, words, words.left_unpaid)
        case "confirming":
            return _sign(page, words.confirming, words.confirming_more)
        case "paid":
            return _sign(page, words.thanks, words.thanks_more)
        case "refunded":
            return _sign(page, words.refunded, "")
        case "cancelled":
            return _sign(page, words.cancelled, "")
        case "expired":
            return _sign(page, words.expired, "")
        case "unknown":
            return _sign(page, words.unknown, words.unknown_more)
        case "trouble":
            return _sign(page, words.trouble, words.trouble_more)


def _form(page: Page, words: PageWords, note: str) -> str:
    assert page.money is not None  # noqa: S101 - there is a payment
    assert page.provider is not None  # noqa: S101 - there is a payment
    said = f'<p class="note" role="status">{escape(note)}</p>\n' if note else ""
    return (
        f'{said}<p class="label">{words.amount}</p>\n'
        f'<h1 class="amount"><bdi dir="ltr">{escape(page.money.shown())}</bdi></h1>\n'
        f'<p class="label">{words.what_for}</p>\n<p class="for">{_isolated(page.what_for)}</p>\n'
        f'<form method="post" action="{escape(page.action)}?lang={page.language}">'
        f"<button>{escape(words.buttons[page.provider])}</button></form>\n"
        f'<p class="safe">{escape(words.safe)}</p>'
    )


def _sign(page: Page, heading: str, more: str) -> str:
    parts = [
        f'<div class="sign" aria-hidden="true">{_SIGNS[page.view]}</div>',
        f'<h1 role="status">{escape(heading)}</h1>',
    ]
    if page.money is not None:
        shown = f'<bdi dir="ltr">{escape(page.money.shown())}</bdi>'
        parts.append(f'<p class="sum">{shown} · {_isolated(page.what_for)}</p>')
    if more:
        parts.append(f'<p class="more">{escape(more)}</p>')
    if page.view == "trouble" and page.action:
        again = escape(WORDS[page.language].again)
        parts.append(
            f'<p class="more"><a class="again" href="{escape(page.action)}">{again}</a></p>'
        )
    return "\n".join(parts)


def _other_language(page: Page, words: PageWords) -> str:
    if not page.action:
        return ""
    other = "en" if page.language == "he" else "he"
    return (
        f'<a class="language" lang="{other}" href="{escape(page.action)}?lang={other}">'
        f"{escape(words.other_language)}</a>\n"
    )


def _isolated(text: str) -> str:
    """Of either direction, whatever stands around it."""
    return f"<bdi>{escape(text)}</bdi>"
