"""Which methods an address takes: what `Allow` has to list (RFC 9110, 15.5.6 and 10.2.1).

Routes and a request's scope flow in, names of methods flow out. Starlette names those of the
first route with that path only, and often an address has a route for each method. Nothing is
handled here.
"""

from collections.abc import Iterable
from typing import Any, Final

from starlette.routing import BaseRoute, Match

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

Scope = Any
"""An ASGI scope of a request."""


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Those that one of the routes takes at the address of the request; none: no such address."""
    routes = list(routes)
    # A copy, since matching may leave notes in it.
    asked = {**scope, "path_params": {}}
    return [
        method
        for method in METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in routes)
    ]
