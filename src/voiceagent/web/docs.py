"""`/openapi.json` and `/docs`: what there is, for programs and as a page to read.

The application's own document flows in, JSON and one HTML page flow out. FastAPI's page would
load a program from somebody else's server, on the very origin where people sign in:
this one holds no script and asks nobody for anything.
"""

import asyncio
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_HEADERS: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
_STYLE: Final = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       overflow-wrap: anywhere }
h2 { margin-top: 2.5rem; font-size: 1.1rem } code { font-size: 1rem } dl { margin-left: 1rem }
dt { font-weight: 600 } dd { margin: 0 0 .4rem 1.5rem } small { color: #666; font-weight: 400 }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #ddd } a { color: #8cf } small { color: #aaa }
}
"""


def install_docs(app: FastAPI) -> None:
    """Put both on the application; make it with `docs_url=None` and `openapi_url=None`, so that it
    has no others. The document is made once, in a thread: it takes a quarter of a second, which
    calls would hear."""

    @app.get("/openapi.json", include_in_schema=False)
    async def document() -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(app.openapi))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(await asyncio.to_thread(app.openapi)), headers=_HEADERS)


def docs_page(document: Mapping[str, Any]) -> str:
    """The whole page for an OpenAPI 3.1 document."""
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<main><h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('summary', ''))}",
        "The same for programs: <a href=openapi.json>openapi.json</a></p>",
    ]
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                parts.extend(_operation(method, path, item[method]))
    for name, schema in sorted(document.get("components", {}).get("schemas", {}).items()):
        parts.append(f"<h2 id='{escape(name)}'>{escape(name)}</h2>")
        parts.append(f"<p>{escape(schema.get('description', ''))}</p><dl>")
        parts.extend(_properties(schema))
        parts.append("</dl>")
    parts.append("</main>")
    return "\n".join(parts)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('summary', ''))}"
    if operation.get("security"):
        yield " <small>needs the API key: <code>Authorization: Bearer …</code></small>"
    yield f"</p><p>{escape(operation.get('description', ''))}</p><dl>"
    for parameter in operation.get("parameters", ()):
        need = "required" if parameter.get("required") else "optional"
        yield _term(
            parameter["name"],
            f"{parameter['in']}, {need}, {_type(parameter.get('schema', {}))}",
            parameter.get("description", ""),
        )
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield _term("body", f"{escape(kind)} {_type(body.get('schema', {}))}", "")
        yield from _properties(body.get("schema", {}))
    for status, response in operation["responses"].items():
        content = " or ".join(
            f"{escape(kind)} {_type(body.get('schema', {}))}"
            for kind, body in response.get("content", {}).items()
        )
        yield _term(f"→ {status}", content, response.get("description", ""))
    yield "</dl>"


def _properties(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, property_ in schema.get("properties", {}).items():
        yield _term(name, _type(property_), property_.get("description", ""))


def _term(name: str, kind: str, description: str) -> str:
    return f"<dt>{escape(name)} <small>{kind}</small></dt><dd>{escape(description)}</dd>"


def _type(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in a few words of HTML."""
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if choices := schema.get("anyOf"):
        return " or ".join(_type(choice) for choice in choices)
    if values := schema.get("enum"):
        return " or ".join(escape(repr(value)) for value in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), Mapping) and "properties" not in schema:
        return f"map to {_type(schema['additionalProperties'])}"
    return escape(str(schema.get("format") or schema.get("type") or ""))
