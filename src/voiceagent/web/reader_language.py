"""In which of its two languages a page is shown.

What the reader has chosen and what the browser prefers flow in; Hebrew or English flows out.
"""

from typing import Literal

from starlette.requests import Request

Language = Literal["he", "en"]


def language_of(tag: str) -> Language:
    """Of a BCP 47 tag: Hebrew, or English for every other one."""
    return "he" if tag.partition("-")[0].lower() in {"he", "iw"} else "en"


def reader_language(request: Request, *chosen: str | None, otherwise: Language) -> Language:
    """The first of `chosen` that is one of both, else what the browser prefers of both."""
    for choice in chosen:
        match choice:
            case "he":
                return "he"
            case "en":
                return "en"
    for wish in request.headers.get("accept-language", "")[:200].split(","):
        tag = wish.partition(";")[0].strip().partition("-")[0].lower()
        if tag in {"he", "iw", "en"}:
            return language_of(tag)
    return otherwise
