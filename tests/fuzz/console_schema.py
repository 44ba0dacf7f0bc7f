"""The console's part of the OpenAPI, with what a page knows and a schema does not tell.

The service's own document flows in; one flows out in which ids that there are stand beside any
others, and each form has its fields, so that a request made of it comes past the first refusal. It
changes nothing that answers are judged by.
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_NUMBER: Final[dict[str, Any]] = {"anyOf": [{"enum": ["0", "1", "2"]}, _TEXT]}
_MODE: Final[dict[str, Any]] = {"anyOf": [{"enum": ["on", "off", "person"]}, _TEXT]}
_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    r"/sign-in$": {"key": _TEXT, "next": _TEXT, "csrf": _TEXT},
    r"/contacts/\{\w+\}/messages$": {"text": _TEXT, "key": _TEXT},
    r"/contacts/\{\w+\}/agent$": {"agent": _MODE},
    r"/live/\{\w+\}/": {"to": {"anyOf": [{"enum": ["own", ""]}, _TEXT]}, "number": _TEXT},
    r"/phone/calls$": {"version": _NUMBER},
    r"/pairing/code$": {"phone": {"anyOf": [{"enum": ["+972501234560"]}, _TEXT]}},
    r"/setup/script$": {
        "base": _NUMBER,
        "seen": _NUMBER,
        "note": _TEXT,
        "made_by": _TEXT,
        "whole": _TEXT,
        "script": _TEXT,
        "business": _TEXT,
        "questions.0.ask": _TEXT,
    },
    r"/versions/\{\w+\}/live$": {"made_by": _TEXT, "seen": _NUMBER},
}
"""By how an address ends. Nothing is demanded of a field: pages answer whatever is in it."""


def of_forms(document: Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """`known`: values that there are, by the names of path parameters, and what a visitor's form
    holds as `csrf`."""
    told = deepcopy(dict(document))
    for path, item in told["paths"].items():
        if not path.startswith("/console"):
            continue
        for method, operation in item.items():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and (there := known.get(parameter["name"])):
                    parameter["schema"] = {"anyOf": [{"enum": [*there]}, parameter["schema"]]}
            if method == "post" and "requestBody" not in operation:
                operation["requestBody"] = _form(path, known)
    return told


def _form(path: str, known: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    fields = dict(next((fields for end, fields in _FIELDS.items() if re.search(end, path)), {}))
    if "csrf" in fields:
        fields["csrf"] = {"anyOf": [{"enum": [*known["csrf"]]}, _TEXT]}
    schema = {"type": "object", "properties": fields}
    return {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}
