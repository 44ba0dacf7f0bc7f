"""Secrets that are made once and kept."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from voiceagent.errors import SettingsError
from voiceagent.notices.standard_webhooks import WebhookKey
from voiceagent.settings import load_settings
from voiceagent.wiring.kept_secrets import (
    ensure_api_key,
    ensure_baileys_token,
    ensure_erasure_key,
    ensure_owner_webhook_secret,
)


class TestApiKey:
    def test_the_one_that_was_set(self, tmp_path: Path) -> None:
        settings = load_settings({"API_KEY": "mine", "DATA_DIR": str(tmp_path / "data")})
        assert ensure_api_key(settings) == "mine"
        assert not (tmp_path / "data").exists()

    def test_made_once_and_for_its_owner_only(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = load_settings({"DATA_DIR": str(tmp_path / "data")})
        with caplog.at_level("INFO"):
            key = ensure_api_key(settings)
        file = tmp_path / "data" / "api_key"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(key) >= 40
        assert ensure_api_key(settings) == key
        assert str(file) in caplog.text
        assert key not in caplog.text
        assert os.listdir(file.parent) == ["api_key"]  # noqa: PTH208 - names only

    def test_two_processes_agree(self, tmp_path: Path) -> None:
        program = (
            "import sys; from voiceagent.settings import load_settings;"
            "from voiceagent.wiring.kept_secrets import ensure_api_key; sys.stdin.read();"
            "print(ensure_api_key(load_settings({'DATA_DIR': sys.argv[1]})))"
        )
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(tmp_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.close()
        keys = set()
        for racer in racers:
            assert racer.stdout is not None
            keys.add(racer.stdout.read())
            racer.stdout.close()
            assert racer.wait(30) == 0
        assert len(keys) == 1

    def test_an_empty_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "api_key").write_text("")
        with pytest.raises(SettingsError, match="empty"):
            ensure_api_key(load_settings({"DATA_DIR": str(tmp_path)}))

    def test_a_data_dir_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("")
        with pytest.raises(SettingsError, match="DATA_DIR"):
            ensure_api_key(load_settings({"DATA_DIR": str(tmp_path / "data")}))


class TestOwnerWebhookSecret:
    def test_the_one_that_was_set(self, tmp_path: Path) -> None:
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        data_dir = tmp_path / "data"
        settings = load_settings({"OWNER_WEBHOOK_SECRET": secret, "DATA_DIR": str(data_dir)})
        assert ensure_owner_webhook_secret(settings) == secret
        assert not data_dir.exists()

    def test_made_once_and_for_its_owner_only(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = load_settings({"DATA_DIR": str(tmp_path / "data")})
        with caplog.at_level("INFO"):
            secret = ensure_owner_webhook_secret(settings)
        file = tmp_path / "data" / "owner_webhook_secret"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(WebhookKey.parse(secret).key) == 32
        assert ensure_owner_webhook_secret(settings) == secret
        assert str(file) in caplog.text
        assert secret not in caplog.text

    @pytest.mark.parametrize("secret", ["whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "x"])
    def test_one_that_nobody_could_verify_with_is_told(self, tmp_path: Path, secret: str) -> None:
        settings = load_settings({"OWNER_WEBHOOK_SECRET": secret, "DATA_DIR": str(tmp_path)})
        with pytest.raises(SettingsError, match="OWNER_WEBHOOK_SECRET must be") as caught:
            ensure_owner_webhook_secret(settings)
        assert secret not in str(caught.value)
        (tmp_path / "owner_webhook_secret").write_text(secret)
        with pytest.raises(SettingsError, match="DATA_DIR"):
            ensure_owner_webhook_secret(load_settings({"DATA_DIR": str(tmp_path)}))


class TestBaileysToken:
    def test_the_token_is_made_once_for_both_sides(self, tmp_path: Path) -> None:
        settings = load_settings({"DATA_DIR": str(tmp_path)})
        token = ensure_baileys_token(settings)
        assert len(token) >= 32
        assert (tmp_path / "baileys_token").read_text().strip() == token
        assert stat.S_IMODE((tmp_path / "baileys_token").stat().st_mode) == 0o600
        assert ensure_baileys_token(settings) == token
        given = load_settings({"DATA_DIR": str(tmp_path), "BAILEYS_TOKEN": "given" * 4})
        assert ensure_baileys_token(given) == "given" * 4


class TestErasureKey:
    def test_it_is_made_once_and_kept_to_oneself(self, tmp_path: Path) -> None:
        settings = load_settings({"DATA_DIR": str(tmp_path), "RETENTION_DAYS": "365"})
        assert settings.retention_days == 365
        key = ensure_erasure_key(settings)
        assert len(key) >= 32
        assert ensure_erasure_key(settings) == key
        assert (tmp_path / "erasure_key").stat().st_mode & 0o777 == 0o600

    def test_one_that_cannot_be_read_or_made_is_told(self, tmp_path: Path) -> None:
        settings = load_settings({"DATA_DIR": str(tmp_path)})
        (tmp_path / "erasure_key").write_text("\n")
        with pytest.raises(SettingsError, match="is empty"):
            ensure_erasure_key(settings)
        (tmp_path / "erasure_key").unlink()
        (tmp_path / "erasure_key").mkdir()
        with pytest.raises(SettingsError, match="neither read nor made"):
            ensure_erasure_key(settings)
