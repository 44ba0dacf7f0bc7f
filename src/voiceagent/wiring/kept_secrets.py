"""Secrets of our own: those that were set, else those kept in a file that is made once.

Settings flow in, a secret flows out. A file is made by whichever process comes first, whole from
its first byte and readable by nobody else; its place is logged, never its content.
"""

import base64
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from voiceagent.errors import SettingsError
from voiceagent.settings import Settings

_log = logging.getLogger(__name__)


def ensure_api_key(settings: Settings) -> str:
    """The key of `/api/*`: the one that was set, else the one kept in `data_dir/api_key`.

    The file is made once, mode 0600, by whichever process comes first; its
    place is logged, never its content. Raises `SettingsError` when it can be
    neither read nor made.
    """
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    path = settings.data_dir / "api_key"
    key = _ensured(path, "API_KEY", lambda: secrets.token_urlsafe(32))
    _log.info("The API key is in %s", path.resolve())
    return key


def ensure_baileys_token(settings: Settings) -> str:
    """The secret shared with the WhatsApp sidecar: the one that was set, else the one kept in
    `data_dir/baileys_token`, made by whichever side comes first, as `ensure_api_key` makes its key.

    Raises `SettingsError`.
    """
    if settings.baileys_token is not None:
        return settings.baileys_token.get_secret_value()
    path = settings.data_dir / "baileys_token"
    return _ensured(path, "BAILEYS_TOKEN", lambda: secrets.token_urlsafe(32))


def ensure_erasure_key(settings: Settings) -> bytes:
    """What erased numbers are hashed with, so that late records do not bring them back: kept in
    `data_dir/erasure_key`, made as `ensure_api_key` makes its key.

    Processes that share a database need the same file. Raises `SettingsError`.
    """
    path = settings.data_dir / "erasure_key"
    try:
        key = _kept_secret(path, lambda: secrets.token_urlsafe(32))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(
            [f"DATA_DIR: {path} can be neither read nor made ({reason})."]
        ) from error
    if not key:
        raise SettingsError([f"DATA_DIR: {path} is empty; delete it."])
    return key.encode()


def ensure_owner_webhook_secret(settings: Settings) -> str:
    """What webhooks to the owner are signed with: the secret that was set, else the one kept in
    `data_dir/owner_webhook_secret`, made as `ensure_api_key` makes its key.

    Raises `SettingsError`, also when it is not `whsec_` and 24 to 64 bytes in base64.
    """
    if settings.owner_webhook_secret is not None:
        secret = settings.owner_webhook_secret.get_secret_value()
        fault = "OWNER_WEBHOOK_SECRET"
    else:
        path = settings.data_dir / "owner_webhook_secret"
        secret = _ensured(path, "OWNER_WEBHOOK_SECRET", _webhook_secret)
        fault = f"DATA_DIR: {path}"
        _log.info("The secret of the owner's webhooks is in %s", path.resolve())
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not (secret.startswith("whsec_") and 24 <= len(key) <= 64):
        raise SettingsError([f"{fault} must be whsec_ and 24 to 64 bytes in base64."])
    return secret


def _webhook_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _ensured(path: Path, variable: str, make: Callable[[], str]) -> str:
    """The secret kept in that file. Raises `SettingsError`, which names the variable to set."""
    try:
        secret = _kept_secret(path, make)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(
            [f"DATA_DIR: {path} can be neither read nor made ({reason}); set {variable} instead."]
        ) from error
    if not secret:
        raise SettingsError([f"DATA_DIR: {path} is empty; delete it or set {variable}."])
    return secret


def _kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in that file; when there is none yet, a new one, complete from the first byte."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(make() + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link fails when the name is taken: the first of two processes wins.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
