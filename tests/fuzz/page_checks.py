"""What schemathesis judges of the console's pages beyond its own checks; it loads this by a name.

Requests and answers flow in; an `AssertionError` flows out for whoever sees more than he may
(`FUZZ_VISITOR=stranger`) and for a page without its policy. It sends nothing by itself.
"""

import os
from typing import Any, Final

import schemathesis

_OPEN: Final = "/console/sign-in"
_REFUSALS: Final = frozenset({401, 403, 404, 405, 413, 422})
_IS_STRANGER: Final = os.environ.get("FUZZ_VISITOR") == "stranger"


@schemathesis.hook
def before_call(_context: Any, case: Any, **_options: Any) -> None:
    """Half of them come as a browser does, half as a script."""
    if ord(str(case.id)[-1]) % 2:
        case.headers["Accept"] = "text/html"


@schemathesis.check
def nobody_gets_in(_context: Any, response: Any, case: Any) -> None:
    """Without having signed in there is the page to do so, and nothing else."""
    if not _IS_STRANGER or case.path == _OPEN:
        return
    if response.status_code == 303:
        [there] = response.headers["location"]
        assert there.partition("?")[0] == _OPEN, there
    else:
        assert response.status_code in _REFUSALS, f"{response.status_code} for a stranger"


@schemathesis.check
def page_has_its_policy(_context: Any, response: Any, _case: Any) -> None:
    """No page can be framed, kept by a proxy or made to load a program of others."""
    if not any(kind.startswith("text/html") for kind in response.headers.get("content-type", ())):
        return
    [policy] = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["cache-control"] == ["no-store"]
    assert response.headers["x-content-type-options"] == ["nosniff"]
