"""Somebody at the pages of a service process, with a browser that runs no scripts, for tests."""

import re
from html import unescape
from typing import Self

import httpx

from whole_service import Service

KEY = "the-key-of-both-processes"


class Visitor:
    """Signed in to one process. For threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._cookies: dict[str, str] = {}

    def signed_in(self) -> Self:
        csrf = field_of(self.page("/console/sign-in"), "csrf")
        answer = self.post("/console/sign-in", csrf=csrf, key=KEY)
        assert answer.status_code == 303, answer.text
        return self

    def page(self, path: str = "/console/live") -> str:
        answer = self._ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def press(self, call_sid: str, what: str, **form: str) -> str:
        """Press a button of a call as the page has it; the page that is shown then."""
        page = self.page()
        action = f"/console/live/{call_sid}/{what}"
        csrf = field_of(page, "csrf")
        answer = self.post(action, csrf=csrf, **form)
        assert answer.status_code == 303, answer.text
        return self.page(answer.headers["location"])

    def post(self, path: str, **form: str) -> httpx.Response:
        return self._ask("POST", path, data=form)

    def _ask(self, method: str, path: str, **options: object) -> httpx.Response:
        # By hand: the session's cookie is for TLS where a public address is set.
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"accept": "text/html", "accept-language": "en", "cookie": cookies}
        answer = httpx.request(
            method,
            self._service.url + path,
            headers=headers,
            trust_env=False,
            timeout=30,
            **options,  # type: ignore[arg-type]
        )
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value.strip('"')
        return answer


def field_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return unescape(found[1])


def shown(page: str, call_sid: str, part: str) -> str | None:
    """What a part of a call's card says; None: the call is not there."""
    found = re.search(rf'<(\w+)[^>]* id="{part}-{call_sid}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    return None if found is None else " ".join(unescape(re.sub("<[^>]*>", " ", found[2])).split())
