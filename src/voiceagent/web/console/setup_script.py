"""`/console/setup/script` and `/versions`: the agent's script is edited, compared and made live.

Forms flow in, versions flow out: whatever is kept is whole, sound TOML, checked as the agent's file
is. What cannot be kept comes back as it was typed, with what is wrong beside it.
"""

import asyncio
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from starlette.responses import RedirectResponse

from voiceagent.brain.agent.rewrite import CannotRewrite
from voiceagent.crm.desk.agent_versions import (
    MAX_NAME,
    MAX_NOTE,
    MAX_SCRIPT_BYTES,
    OutOfDate,
    Version,
)
from voiceagent.errors import AgentFileError
from voiceagent.web.agents import SOURCE, Agents
from voiceagent.web.console.door import Door, Posted
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.script_diff import DiffLine, differences
from voiceagent.web.console.script_form import (
    MAX_VERSION,
    fits_form,
    form_of,
    number_of,
    script_of,
    tidy,
)
from voiceagent.web.console.script_texts import SCRIPT_EN, SCRIPT_HE, ScriptTexts
from voiceagent.web.console.sessions import Session
from voiceagent.web.console.setup import PATH
from voiceagent.web.reader_language import Language

SCRIPT: Final = f"{PATH}/script"
VERSIONS: Final = f"{PATH}/versions"
FILE: Final = 0
"""Stands for the file where a version's number is asked for."""

TEXTS: Final[Mapping[Language, ScriptTexts]] = {"he": SCRIPT_HE, "en": SCRIPT_EN}

Number = Annotated[int, Path(ge=0, le=MAX_VERSION)]


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody is writing."""

    base: int
    """The version that it was begun from, or `FILE`."""
    seen: int
    """The newest version that its writer knows of; 0: none."""
    script: str
    note: str = ""
    made_by: str = ""
    faults: tuple[str, ...] = ()
    as_text: bool = False
    """The whole TOML is edited, not the form."""
    fits_form: bool = True
    overtaken: Sequence[DiffLine] = ()
    """How it differs from what somebody else has kept meanwhile."""


class Refused(Exception):
    """The draft cannot be kept: it is shown again."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


def script_router(pages: Pages, door: Door, agents: Agents) -> APIRouter:
    """The routes."""
    router = pages.router()

    async def text_of(version: int) -> str:
        """Raises `NotFound`."""
        if version == FILE:
            return agents.file.toml
        return (await agents.versions.get(version)).script

    async def editor(
        request: Request, who: Session, draft: Draft, status: int = HTTPStatus.OK
    ) -> Response:
        words = TEXTS[pages.language(request)]
        form = await asyncio.to_thread(form_of, draft.script, agents.file.language, draft.faults)
        return pages.show(
            request,
            "script.html",
            who,
            status=status,
            at=SCRIPT if request.method == "POST" else "",
            words=words,
            draft=draft,
            form=form,
            name=words.name_of(draft.base),
        )

    @router.get(SCRIPT, summary="Edit what the agent says")
    async def edit(
        request: Request,
        who: Annotated[Session, Depends(door.signed_in)],
        version: Annotated[
            int | None, Query(ge=0, le=MAX_VERSION, description="To begin from.")
        ] = None,
        view: Annotated[str, Query(description="`text` for the whole TOML.")] = "",
    ) -> Response:
        newest = await agents.versions.newest()
        seen = newest.id if newest is not None else 0
        base = seen if version is None else version
        script = await text_of(base)
        fits = await asyncio.to_thread(fits_form, script)
        draft = Draft(base, seen, script, as_text=view == "text" or not fits, fits_form=fits)
        return await editor(request, who, draft)

    @router.post(SCRIPT, summary="Keep a version of it")
    async def keep(
        request: Request, posted: Annotated[Posted, Depends(door.posted_long)]
    ) -> Response:
        form = dict(reversed(posted.form.fields))
        draft = Draft(
            base=number_of(form.get("base", "")),
            seen=number_of(form.get("seen", "")),
            script="",
            note=" ".join(form.get("note", "").split())[:MAX_NOTE],
            made_by=" ".join(form.get("made_by", "").split())[:MAX_NAME],
            as_text="script" in form,
        )
        try:
            kept = await kept_of(draft, form)
        except Refused as refused:
            status = (
                HTTPStatus.CONFLICT if refused.draft.overtaken else HTTPStatus.UNPROCESSABLE_ENTITY
            )
            return await editor(request, posted.session, refused.draft, status)
        return RedirectResponse(f"{VERSIONS}/{kept.id}", HTTPStatus.SEE_OTHER)

    async def kept_of(draft: Draft, form: Mapping[str, str]) -> Version:
        """Raises `Refused`, and `NotFound` for a base that is not there."""
        whole = await typed_script(draft, form)
        try:
            await agents.check(whole.script)
        except AgentFileError as error:
            faults = tuple(fault.removeprefix(f"{SOURCE}: ") for fault in error.faults)
            raise Refused(replace(whole, faults=faults)) from None
        if len(whole.script.encode()) > MAX_SCRIPT_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            return await agents.versions.add(
                whole.script,
                made_by=whole.made_by,
                note=whole.note,
                based_on=whole.base or None,
                seen=whole.seen,
            )
        except OutOfDate as overtaken:
            theirs = await text_of(overtaken.newest)
            lines = await asyncio.to_thread(differences, theirs, whole.script)
            raise Refused(replace(whole, seen=overtaken.newest, overtaken=lines)) from None

    async def typed_script(draft: Draft, form: Mapping[str, str]) -> Draft:
        """The draft with the whole text of what was typed. Raises `Refused`."""
        if draft.as_text:
            return replace(draft, script=tidy(form["script"]))
        # The text that the form was made of travels with it: a form that came back with faults
        # holds what no version has.
        base = tidy(form.get("whole", "")) or tidy(await text_of(draft.base))
        try:
            return replace(draft, script=await asyncio.to_thread(script_of, base, form))
        except (CannotRewrite, tomllib.TOMLDecodeError, RecursionError):
            raise Refused(replace(draft, script=base, as_text=True, fits_form=False)) from None

    @router.get(f"{VERSIONS}/{{version}}", summary="One version, and how it differs from another")
    async def version_page(
        request: Request,
        version: Number,
        who: Annotated[Session, Depends(door.signed_in)],
        against: Annotated[
            int | None, Query(ge=0, le=MAX_VERSION, description="The other one.")
        ] = None,
    ) -> Response:
        return await shown(request, who, version, against)

    async def shown(
        request: Request,
        who: Session,
        version: int,
        against: int | None,
        *,
        overtaken: bool = False,
    ) -> Response:
        words = TEXTS[pages.language(request)]
        one = await agents.versions.get(version) if version != FILE else None
        live = await agents.versions.live()
        script = one.script if one is not None else agents.file.toml
        other = live.version_id or FILE if against is None else against
        lines = await asyncio.to_thread(differences, await text_of(other), script)
        faults: Sequence[str] = ()
        try:
            await agents.check(script)
        except AgentFileError as error:
            faults = error.faults
        return pages.show(
            request,
            "version.html",
            who,
            status=HTTPStatus.CONFLICT if overtaken else HTTPStatus.OK,
            at=f"{VERSIONS}/{version}" if request.method == "POST" else "",
            words=words,
            version=version,
            head=one.head if one is not None else None,
            script=script,
            name=words.name_of(version),
            other=other,
            other_name=words.name_of(other),
            others=[FILE, *(head.id for head in await agents.versions.heads())],
            lines=lines,
            is_live=(live.version_id or FILE) == version,
            live=live,
            faults=faults,
            overtaken=overtaken,
            file=agents.file.source,
        )

    @router.post(f"{VERSIONS}/{{version}}/live", summary="Have it answer new calls from now on")
    async def make_live(
        request: Request, version: Number, posted: Annotated[Posted, Depends(door.posted)]
    ) -> Response:
        if version != FILE:
            try:
                await agents.check((await agents.versions.get(version)).script)
            except AgentFileError:
                return await shown(request, posted.session, version, None)
        try:
            await agents.versions.make_live(
                version or None,
                made_by=" ".join(posted.form.get("made_by").split())[:MAX_NAME],
                seen=number_of(posted.form.get("seen")),
                file_sum=agents.file.checksum,
            )
        except OutOfDate:
            return await shown(request, posted.session, version, None, overtaken=True)
        # So that the page which follows tells what is so.
        await agents.load()
        return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)

    return router
