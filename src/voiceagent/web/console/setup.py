"""`/console/setup`: which agent answers and why, what is configured and what is missing.

What the doctor finds and the versions of the script flow in; a page flows out that tells what to
add and where to read more. The parts are asked only when somebody wants it, beside the calls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from voiceagent.crm.desk.agent_versions import Live, VersionHead
from voiceagent.errors import ProviderError
from voiceagent.web.agents import Agents
from voiceagent.web.console.door import Door, Posted
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session
from voiceagent.web.console.setup_texts import SETUP_EN, SETUP_HE, SetupTexts
from voiceagent.web.console.setup_view import Finding, groups
from voiceagent.web.reader_language import Language

PATH: Final = "/console/setup"
CHECK_S: Final = 15.0
"""Of each part that is asked."""
SPARE_S: Final = 5.0
"""For what is to be told of those that did not answer."""

TEXTS: Final[Mapping[Language, SetupTexts]] = {"he": SETUP_HE, "en": SETUP_EN}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the service was started with, as far as it may be told."""

    findings: Sequence[Finding]
    """By the settings alone."""
    is_set: Mapping[str, bool]
    """By the name of the setting."""
    check: Callable[[float], Awaitable[Sequence[Finding]]]
    """Asks each part, which has so many seconds."""


def setup_router(
    pages: Pages, door: Door, agents: Agents, configuration: Configuration
) -> APIRouter:
    """The routes."""
    router = pages.router()
    one_at_a_time = asyncio.Lock()

    async def page(
        request: Request,
        who: Session,
        checked: Sequence[Finding] | None = None,
        *,
        failed: bool = False,
    ) -> Response:
        words = TEXTS[pages.language(request)]
        heads: Sequence[VersionHead] | None
        try:
            heads = await agents.versions.heads()
            live = await agents.versions.live()
        except ProviderError:
            heads, live = None, Live(0)
        findings = [*configuration.findings, *(checked or ())]
        return pages.show(
            request,
            "setup.html",
            who,
            at=PATH if request.method == "POST" else "",
            words=words,
            standing=agents.in_force,
            file=agents.file.source,
            heads=heads,
            live=live,
            groups=groups(findings, configuration.is_set, words),
            checked=checked is not None,
            failed=failed,
        )

    @router.get(PATH, summary="What is set up, what is missing, and what the agent says")
    async def show(request: Request, who: Annotated[Session, Depends(door.signed_in)]) -> Response:
        return await page(request, who)

    @router.post(f"{PATH}/checks", summary="Ask each part whether it works")
    async def check(request: Request, posted: Annotated[Posted, Depends(door.posted)]) -> Response:
        try:
            async with asyncio.timeout(CHECK_S + SPARE_S), one_at_a_time:
                found = await configuration.check(CHECK_S)
        except TimeoutError:
            return await page(request, posted.session, failed=True)
        return await page(request, posted.session, found)

    return router
