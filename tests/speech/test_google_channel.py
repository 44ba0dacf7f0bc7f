"""Which key, which host: what is refused, and that nothing of a key is ever shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from voiceagent.errors import ProviderError, SettingsError
from voiceagent.speech import google_channel
from voiceagent.speech.google_channel import (
    GoogleCredentials,
    GoogleHost,
    credentials_of,
    host_of,
    open_channel,
    require_access,
)

SECRET = "hush-hush"
KEY = {
    "type": "service_account",
    "project_id": "shop",
    "client_email": "ears@shop",
    "token_uri": "https://oauth2.googleapis.com/token",
    "private_key": SECRET,
}


def fault_of(path: Path | None, inline: str | None) -> str:
    with pytest.raises(SettingsError) as raised:
        credentials_of(path, inline)
    (fault,) = raised.value.faults
    assert SECRET not in fault
    assert SECRET not in repr(raised.value)
    return fault


def test_none_is_none() -> None:
    assert credentials_of(None, None) is None


def test_a_key_in_a_file_and_one_in_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(KEY))
    for credentials in (credentials_of(file, None), credentials_of(None, json.dumps(KEY))):
        assert credentials is not None
        assert credentials.project_id == "shop"
        assert SECRET not in repr(credentials)


def test_both_are_one_too_many(tmp_path: Path) -> None:
    fault = fault_of(tmp_path / "key.json", json.dumps(KEY))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in fault
    assert "GCP_CREDENTIALS_JSON" in fault


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    fault = fault_of(tmp_path / "nowhere.json", None)
    assert fault.startswith("GOOGLE_APPLICATION_CREDENTIALS: ")
    assert "nowhere.json" in fault
    assert "No such file" in fault


def test_a_directory_and_a_binary_file_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "key.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in fault_of(tmp_path, None)
    assert "not UTF-8" in fault_of(binary, None)


@pytest.mark.parametrize(
    "text", ["", f'{{"private_key": "{SECRET}"', "[" * 100_000, f'["{SECRET}"]', f'"{SECRET}"']
)
def test_broken_json_is_no_key(text: str) -> None:
    assert "whole JSON" in fault_of(None, text)


@pytest.mark.parametrize("kind", [None, "authorized_user", "external_account", 7])
def test_json_of_another_kind_is_no_key(kind: object) -> None:
    assert "service account" in fault_of(None, json.dumps(KEY | {"type": kind}))


def test_what_a_key_lacks_is_named() -> None:
    fault = fault_of(None, json.dumps(KEY | {"client_email": None, "token_uri": 1}))
    assert "client_email, token_uri" in fault


def test_the_real_api_is_not_asked_without_a_key() -> None:
    with pytest.raises(SettingsError) as raised:
        require_access("STT_ENGINE", host_of(None, "speech.googleapis.com"), None)
    (fault,) = raised.value.faults
    assert fault.startswith("STT_ENGINE: ")
    assert "GCP_CREDENTIALS_JSON" in fault
    require_access("STT_ENGINE", GoogleHost("127.0.0.1:9001", insecure=True), None)
    require_access("STT_ENGINE", host_of(None, "speech.googleapis.com"), GoogleCredentials(KEY))


@pytest.mark.parametrize(
    ("endpoint", "region", "host"),
    [
        (None, None, GoogleHost("speech.googleapis.com:443")),
        (None, "global", GoogleHost("speech.googleapis.com:443")),
        (None, "eu", GoogleHost("eu-speech.googleapis.com:443")),
        ("us-speech.googleapis.com", "eu", GoogleHost("us-speech.googleapis.com:443")),
        ("proxy.example.com:8443", None, GoogleHost("proxy.example.com:8443")),
        ("[::1]", None, GoogleHost("[::1]:443")),
        ("insecure://127.0.0.1:9001", "eu", GoogleHost("127.0.0.1:9001", insecure=True)),
    ],
)
def test_the_host(endpoint: str | None, region: str | None, host: GoogleHost) -> None:
    assert host_of(endpoint, "speech.googleapis.com", region) == host


async def test_a_key_that_cannot_sign_is_told_without_its_contents() -> None:
    await google_channel.load("google.cloud.speech_v1")
    credentials = credentials_of(None, json.dumps(KEY))
    with pytest.raises(ProviderError, match="private key") as raised:
        open_channel(host_of(None, "speech.googleapis.com"), credentials)
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__
    assert not raised.value.retryable


async def test_a_good_key_opens_a_channel() -> None:
    await google_channel.load("google.cloud.speech_v1")
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    credentials = credentials_of(None, json.dumps(KEY | {"private_key": private.decode()}))
    channel = open_channel(host_of(None, "speech.googleapis.com"), credentials)
    await channel.close()


async def test_a_library_that_is_not_installed_is_named() -> None:
    with pytest.raises(ProviderError, match=r"pip install -e '\.\[google\]'"):
        await google_channel.load("google.cloud.speech_v0")


def test_grpc_is_told_to_leave_forks_alone() -> None:
    program = (
        "import os, voiceagent.speech.google_stt; print(os.environ['GRPC_ENABLE_FORK_SUPPORT'])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "0"
