"""What servers run: `asgi:app` is the `app` of the file `main app` beside this one.

That file's name has a space and no extension, so no import statement finds it: it
is loaded by its path with a source loader, from whatever directory the server was
started in.
"""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path

from starlette.types import ASGIApp

_ROOT = Path(__file__).resolve().parent


def _load_app() -> ASGIApp:
    if find_spec("voiceagent") is None:
        # A checkout whose package was not installed, only what it depends on.
        sys.path.insert(0, str(_ROOT / "src"))
    loader = SourceFileLoader("main_app", str(_ROOT / "main app"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None  # noqa: S101 - a loader was given
    module = module_from_spec(spec)
    loader.exec_module(module)
    application: ASGIApp = module.app
    return application


app = _load_app()
