"""`/console/numbers`: how it goes, what each number means, and what to do when it is bad.

What was counted over all processes flows in; a page flows out for today, seven days or thirty.
It counts nothing itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from voiceagent.crm.numbers.figures import FiguresRepository
from voiceagent.crm.numbers.periods import PERIODS, PeriodName, period_of
from voiceagent.limits.budget import Purse
from voiceagent.web.console.door import Door
from voiceagent.web.console.moments import Moments
from voiceagent.web.console.numbers_charts import charts
from voiceagent.web.console.numbers_texts import NUMBERS_EN, NUMBERS_HE, NumbersTexts
from voiceagent.web.console.numbers_view import cards, is_empty, is_late
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session
from voiceagent.web.reader_language import Language

PATH: Final = "/console/numbers"

_TEXTS: Final[Mapping[Language, NumbersTexts]] = {"he": NUMBERS_HE, "en": NUMBERS_EN}


def _now() -> datetime:
    return datetime.now(UTC)


def numbers_router(
    pages: Pages,
    door: Door,
    figures: FiguresRepository,
    *,
    zone: tzinfo,
    takes_payments: bool,
    purse: Purse,
    now: Callable[[], datetime] = _now,
) -> APIRouter:
    """The routes. `zone`: the business's own; `takes_payments`: a provider is set up; what
    is used is paid from the `purse`."""
    router = pages.router()

    @router.get(PATH, summary="How it goes, in numbers")
    async def numbers(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        period: Annotated[PeriodName, Query(description="How much of the past.")] = "today",
    ) -> Response:
        language = pages.language(request)
        words, at = _TEXTS[language], now()
        shown = period_of(period, at, zone)
        read = await figures.read(shown)
        moments = Moments(language, zone, at.astimezone(zone).date())
        pictures = charts(shown, read, words)
        # The pictures and the page are some milliseconds each: calls come in between.
        await asyncio.sleep(0)
        return pages.show(
            request,
            "numbers.html",
            session,
            words=words,
            period=period,
            periods=PERIODS,
            figures=read,
            is_empty=is_empty(read),
            is_late=is_late(read, at),
            cards=cards(
                read,
                words,
                at,
                moment=moments.short,
                takes_payments=takes_payments,
                purse=purse,
                days=len(shown.days),
            ),
            charts=pictures,
        )

    return router
