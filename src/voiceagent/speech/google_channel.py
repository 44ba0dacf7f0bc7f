"""The way to Google: which key, which host, and a gRPC channel to it.

Settings flow in, checked credentials and open channels flow out. The vendor libraries are
imported by `load` in a thread and nowhere else at import time; no part of a key ever
reaches a message or a `repr`.
"""

import asyncio
import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from voiceagent.errors import ProviderError, SettingsError

if TYPE_CHECKING:
    import grpc.aio

# Read once, when gRPC is loaded. Its handlers of forks stop everything that is under way and let it
# go on only some of the time: when the embedded database was started again by a root process, no
# call was understood for most of a minute. No child of ours uses gRPC, so none needs them.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
INSECURE: Final = "insecure://"
_DEFAULT_PORT: Final = 443
_SERVICE_ACCOUNT_KEYS: Final = ("client_email", "private_key", "token_uri")
_MAX_FILE_BYTES: Final = 64 * 1024
_OPTIONS: Final = (
    # Each channel its own connection: a server allows about 100 streams on one.
    ("grpc.use_local_subchannel_pool", 1),
    # What a dead connection may cost before the next try.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A connection whose other side has vanished is found out while somebody uses it. Google's own
    # libraries ping no more often than this.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True, slots=True)
class GoogleCredentials:
    """A service account's key: of the right kind, not yet proved to work."""

    info: Mapping[str, Any] = field(repr=False)
    source: str = ""
    """The variable that gave it."""

    @property
    def project_id(self) -> str | None:
        project = self.info.get("project_id")
        return project if isinstance(project, str) else None


@dataclass(frozen=True, slots=True)
class GoogleHost:
    """`host:port` of an API endpoint."""

    address: str
    insecure: bool = False
    """Plain gRPC without credentials: an emulator."""


def credentials_of(path: Path | None, inline: str | None) -> GoogleCredentials | None:
    """The key that the settings name, or None without one.

    `path` is GOOGLE_APPLICATION_CREDENTIALS, `inline` the JSON of GCP_CREDENTIALS_JSON.
    Raises `SettingsError`, which names the variable and shows nothing of the key.
    """
    if path is not None and inline is not None:
        fault = (
            "GOOGLE_APPLICATION_CREDENTIALS and GCP_CREDENTIALS_JSON are both set:"
            " keep exactly one of them."
        )
        raise SettingsError([fault])
    if path is not None:
        return _service_account(_read(path), "GOOGLE_APPLICATION_CREDENTIALS")
    if inline is not None:
        return _service_account(inline, "GCP_CREDENTIALS_JSON")
    return None


def require_access(variable: str, host: GoogleHost, credentials: GoogleCredentials | None) -> None:
    """Raise `SettingsError` when the real API would be asked without a key.

    `variable` is the one that chose the engine, e.g. STT_ENGINE.
    """
    if credentials is None and not host.insecure:
        fault = (
            f"{variable}: the google engine needs GOOGLE_APPLICATION_CREDENTIALS"
            " or GCP_CREDENTIALS_JSON."
        )
        raise SettingsError([fault])


def host_of(endpoint: str | None, service: str, region: str | None = None) -> GoogleHost:
    """Where `service` (e.g. `speech.googleapis.com`) is reached.

    `endpoint` wins: `host[:port]`, or `insecure://host:port`. Else a region other than
    `global` has a host of its own, e.g. `eu-speech.googleapis.com`.
    """
    if endpoint is None:
        regional = f"{region}-{service}" if region and region != "global" else service
        return GoogleHost(f"{regional}:{_DEFAULT_PORT}")
    insecure = endpoint.startswith(INSECURE)
    address = endpoint.removeprefix(INSECURE)
    if not insecure and ":" not in address.rpartition("]")[2]:
        address = f"{address}:{_DEFAULT_PORT}"
    return GoogleHost(address, insecure)


async def load(module: str) -> ModuleType:
    """Import a vendor module (0.5 to 3.4 s) without holding the event loop up.

    Raises `ProviderError` when it is not installed.
    """
    try:
        return await asyncio.to_thread(importlib.import_module, module)
    except ImportError as error:
        raise ProviderError(
            f"{module} is not installed; from a checkout: pip install -e '.[google]'",
            retryable=False,
        ) from error


def open_channel(host: GoogleHost, credentials: GoogleCredentials | None) -> "grpc.aio.Channel":
    """A channel with a connection of its own; it connects with the first call on it.

    To be called on the event loop, after `load`. Raises `ProviderError` for a key that
    cannot be used.
    """
    import grpc.aio  # noqa: PLC0415

    if host.insecure:
        return grpc.aio.insecure_channel(host.address, options=_OPTIONS)
    from google.api_core import grpc_helpers_async  # noqa: PLC0415

    channel: grpc.aio.Channel = grpc_helpers_async.create_channel(
        host.address,
        credentials=_signer(credentials),
        default_scopes=SCOPES,
        default_host=host.address.rpartition(":")[0],
        options=_OPTIONS,
    )
    return channel


def _signer(credentials: GoogleCredentials | None) -> Any:
    from google.oauth2 import service_account  # noqa: PLC0415

    if credentials is None:
        raise ProviderError("there are no Google credentials", retryable=False)
    try:
        # A JWT signed here, good for all calls: no trip to a token server before the first word.
        return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            dict(credentials.info), scopes=SCOPES
        ).with_always_use_jwt_access(always_use_jwt_access=True)
    except Exception:
        # The library's own words may hold parts of the key: `from None`.
        raise ProviderError(
            f"{credentials.source}: the private key in it cannot be used.", retryable=False
        ) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES + 1).decode()
    except OSError as error:
        reason = error.strerror
    except ValueError:
        reason = "not UTF-8 text"
    raise SettingsError(
        [f"GOOGLE_APPLICATION_CREDENTIALS: the file {path} cannot be read ({reason})."]
    )


def _service_account(text: str, source: str) -> GoogleCredentials:
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise SettingsError([f"{source} does not hold the whole JSON of a key."])
    if info.get("type") != "service_account":
        raise SettingsError([f"{source} holds JSON, but not the key of a service account."])
    missing = [key for key in _SERVICE_ACCOUNT_KEYS if not isinstance(info.get(key), str)]
    if missing:
        raise SettingsError([f"{source} holds a key without {', '.join(missing)}."])
    return GoogleCredentials(info, source)
