"""Every environment variable of the service, read and checked once, at the start.

The environment flows in; one frozen `Settings` flows out, or a `SettingsError`
with one sentence per fault. Nothing else in the package reads the environment,
and no secret's value is ever printed.
"""

import json
import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic import ValidationError as PydanticValidationError

from voiceagent.errors import SettingsError

Engine = Literal["google", "local", "bench"]

DEFAULT_BAILEYS_URL: Final = "http://127.0.0.1:3001"

MAX_CALL_MINUTES: Final = 240
"""Twilio ends a call after four hours."""

_MAX_FILE_BYTES: Final = 64 * 1024
_SECRETS: Final = (
    "API_KEY",
    "BAILEYS_TOKEN",
    "DATABASE_URL",
    "GCP_CREDENTIALS_JSON",
    "LLM_API_KEY",
    "METRICS_TOKEN",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OWNER_WEBHOOK_SECRET",
    "PAYPAL_CLIENT_SECRET",
    "TRANZILA_PASSWORD",
    "TRANZILA_SECRET",
    "TWILIO_AUTH_TOKEN",
)
"""Never printed; each may also be given as a path in NAME_FILE."""
_HOSTNAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_RECOGNIZER: Final = re.compile(
    r"projects/[A-Za-z0-9:.-]+/locations/[a-z0-9-]+/recognizers/[A-Za-z0-9_-]+"
)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")

_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})
_WORDING: Final = {
    "int_parsing": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "decimal_parsing": "must be an amount such as 0.0085",
    "decimal_max_places": "must be an amount with at most 6 decimal places",
    "decimal_max_digits": "must be an amount of at most 12 digits",
    "decimal_whole_digits": "must be less than 1000000",
    "string_pattern_mismatch": "must be printable ASCII without spaces",
}
"""Pydantic's fault types whose own words say too little to an operator."""


def _switch(value: object) -> object:
    """`1` or `0` (also true/false, yes/no, on/off)."""
    if isinstance(value, str):
        lowered = value.lower()
        if lowered in _YES:
            return True
        if lowered in _NO:
            return False
        raise ValueError("must be 1 or 0")
    return value


def _base_url(value: str) -> str:
    """`https://host[:port][/path]` without a trailing slash and without doubled ones."""
    url = urlsplit(value)
    if url.scheme.lower() != "https":
        raise ValueError("must begin with https://")
    _host_and_port(url.netloc)
    if url.query or url.fragment:
        raise ValueError("must be an address without ? and #")
    if not re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", url.path):
        raise ValueError("has a path with characters that no URL may hold")
    path = "/".join(part for part in url.path.split("/") if part)
    return f"https://{url.netloc}{'/' + path if path else ''}"


def _host_and_port(netloc: str) -> None:
    host, colon, port = netloc, "", ""
    if not netloc.endswith("]"):
        host, colon, port = netloc.rpartition(":") if ":" in netloc else (netloc, "", "")
    if not _HOSTNAME.fullmatch(host):
        raise ValueError("has no proper host name")
    if colon and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise ValueError("has a port that is not a number from 1 to 65535")


def _endpoint(value: str) -> str:
    """`host[:port]` of another API endpoint, or `insecure://host:port`."""
    _host_and_port(value.removeprefix("insecure://"))
    return value


def _language(value: str) -> str:
    """A BCP 47 tag; the old code for Hebrew becomes today's."""
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("must be a language tag such as he-IL")
    return re.sub(r"^iw\b", "he", value, flags=re.IGNORECASE)


def _recognizer(value: str) -> str:
    """`projects/P/locations/L/recognizers/R`."""
    if not _RECOGNIZER.fullmatch(value):
        raise ValueError("must be projects/P/locations/L/recognizers/R")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]*", value):
        raise ValueError("must be a location such as eu or europe-west4")
    return value


def _account_sid(value: str) -> str:
    if not re.fullmatch(r"AC[0-9A-Za-z_]+", value):
        raise ValueError("must be an account sid, AC and 32 digits")
    return value


def _api_url(value: str) -> str:
    """`http(s)://host[:port][/path]` of an API, without a trailing slash."""
    url = urlsplit(value)
    if url.scheme.lower() not in {"http", "https"}:
        raise ValueError("must begin with https:// or http://")
    _host_and_port(url.netloc)
    if url.query or url.fragment:
        raise ValueError("must be an address without ? and #")
    return value.rstrip("/")


def _private_api_url(value: str) -> str:
    """As `_api_url`; what is secret leaves this machine encrypted only."""
    url = _api_url(value)
    host = urlsplit(url).hostname or ""
    if not url.lower().startswith("https:") and host not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("must begin with https://, since secrets are sent there")
    return url


def _terminal(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError("must be a terminal's name, letters and digits")
    return value


def _e164(value: str) -> str:
    """A number as `+972501234567`; spaces, dashes and brackets are forgiven."""
    number = re.sub(r"[ ().-]", "", value)
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        raise ValueError("must be a number such as +972501234567")
    return number


def _whatsapp_number(value: str) -> str:
    return _e164(value.removeprefix("whatsapp:"))


def _listed(value: object) -> object:
    """`a, b`, as a list."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", value):
        raise ValueError("must be a currency's code such as USD or ILS")
    return value.upper()


def _money(default: int) -> Any:
    """A field that holds an amount of money in whole units, e.g. 0.0085."""
    return Field(Decimal(default), ge=0, lt=1_000_000, max_digits=12, decimal_places=6)


def _shared_token(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 16:
        raise ValueError("must have at least 16 characters")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    return value


def _headers(text: str) -> dict[str, str]:
    """`name=value,name=value`; values may be percent-encoded. Raises `ValueError`."""
    headers = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, is_pair, value = item.partition("=")
        value = unquote(value.strip())
        if not (is_pair and re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name.strip())):
            raise ValueError("must be name=value,name=value")
        if not (value.isascii() and value.isprintable()):
            raise ValueError("has a value that is not printable ASCII")
        headers[name.strip()] = value
    return headers


def _header_list(value: SecretStr) -> SecretStr:
    _headers(value.get_secret_value())
    return value


def _printable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("must be printable ASCII without spaces")
    return value


Switch = Annotated[bool, BeforeValidator(_switch)]
Token = Annotated[SecretStr, AfterValidator(_printable)]
Language = Annotated[str, AfterValidator(_language)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Recognizer = Annotated[str, AfterValidator(_recognizer)]
Region = Annotated[str, AfterValidator(_region)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
PrivateApiUrl = Annotated[str, AfterValidator(_private_api_url)]
PhoneNumber = Annotated[str, AfterValidator(_e164)]
WhatsAppNumber = Annotated[str, AfterValidator(_whatsapp_number)]
ShortText = Annotated[str, Field(max_length=200, pattern=r"^[!-~]+$")]


class Settings(BaseModel):
    """What the environment says, with every default filled in.

    Each attribute is the variable of the same name in small letters. `None`
    means unset. Made by `load_settings`, which also resolves the engines and
    languages that depend on other variables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int = Field(8000, ge=0, le=65535)
    """0: any free port."""
    host: ShortText = "0.0.0.0"  # noqa: S104 - a container is reached from outside
    public_base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    """`https://host[:port][/path]`, normalised. `None`: derived from each request."""
    web_concurrency: int = Field(1, ge=1, le=64)
    """Processes that share the port; uvicorn reads the same variable, and some platforms set it."""
    forwarded_allow_ips: Annotated[str, Field(max_length=2000)] = "127.0.0.1"
    """Proxies whose forwarded headers are believed; uvicorn reads the same variable."""
    deploy_id: Annotated[str, Field(max_length=200)] = "unknown"
    git_commit: ShortText | None = None
    data_dir: Path = Path("var")
    data_dir_lasts: Switch = True
    """What is written there survives a restart. If not, a message is acknowledged only once it is
    in the database."""
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = None
    """`None`: an embedded PostgreSQL in `data_dir`."""
    api_key: Token | None = None
    """`None`: generated once, see `ensure_api_key`."""
    metrics_token: Annotated[Token, AfterValidator(_shared_token)] | None = None
    """What `/metrics` is shown for. `None`: to whoever asks."""

    twilio_account_sid: Annotated[str, AfterValidator(_account_sid)] | None = None
    twilio_auth_token: Token | None = None
    twilio_signature_check: Switch = True
    twilio_phone_number: PhoneNumber | None = None
    """The business's own number: outbound calls are placed from it."""
    twilio_base_url: ApiUrl = "https://api.twilio.com"
    """Twilio's REST API, or an emulator of it."""

    stt_engine: Engine = "local"
    tts_engine: Engine = "local"
    bench_engines: Switch = False
    bench_reply_seconds: float = Field(3.0, gt=0, le=600, allow_inf_nan=False)
    google_application_credentials: Path | None = None
    gcp_credentials_json: SecretStr | None = None
    google_stt_endpoint: Endpoint | None = None
    google_tts_endpoint: Endpoint | None = None
    google_stt_api: Literal["v1", "v2"] = "v1"
    google_stt_recognizer: Recognizer | None = None
    """v2: the whole path of a recogniser. `None`: the key's project's default one."""
    google_stt_region: Region | None = None
    """E.g. `eu`; its host is asked. `None`: that of the recogniser, else `global`."""
    google_stt_endpointing: Literal["standard", "short", "supershort"] = "short"
    """v2: how soon a final comes; the call ends utterances by itself all the same."""
    stt_language: Language = "he-IL"
    stt_model: ShortText | None = None
    tts_voice: ShortText | None = None
    agent_language: Language = "he-IL"
    agent_file: Path | None = None
    """`None`: the bundled agent."""

    llm_base_url: ApiUrl | None = None
    """An OpenAI-compatible server, ending in `/v1`. `None`: the script of the agent's file."""
    llm_api_key: Token | None = None
    llm_model: ShortText | None = None
    llm_speculation: Switch = True
    """The answer is begun while it is not yet sure that the caller has finished."""

    owner_webhook_url: ApiUrl | None = None
    """Where the owner is told of calls and messages, in signed webhooks."""
    owner_webhook_secret: Token | None = None
    """`whsec_…` of Standard Webhooks. `None`: generated once into `data_dir`."""
    owner_whatsapp: PhoneNumber | None = None
    """The owner's own WhatsApp number."""

    baileys_port: int | None = Field(None, ge=1, le=65535)
    """Where the WhatsApp sidecar of this machine listens; it reads the same variable."""
    baileys_url: ApiUrl | None = None
    """Where the WhatsApp sidecar is. Unset: on this machine at `BAILEYS_PORT`. `None`: neither was
    set, and it is at `DEFAULT_BAILEYS_URL` if there is one."""
    baileys_token: Annotated[Token, AfterValidator(_shared_token)] | None = None
    """The secret shared with the sidecar. `None`: see `ensure_baileys_token`."""
    twilio_whatsapp_from: WhatsAppNumber | None = None
    """A WhatsApp sender of the Twilio account; `whatsapp:` before it is forgiven."""

    whatsapp_agent: Switch = True
    """The agent answers what is written to the business, where nobody has switched it off for the
    contact. Off: it answers nobody."""

    paypal_client_id: ShortText | None = None
    paypal_client_secret: Token | None = None
    paypal_webhook_id: ShortText | None = None
    """`None`: PayPal's webhooks are not taken, and what is paid is found by asking."""
    paypal_base_url: PrivateApiUrl = "https://api-m.paypal.com"
    """PayPal's REST API, its sandbox, or an emulator of it."""

    tranzila_terminal: Annotated[str, AfterValidator(_terminal)] | None = None
    tranzila_password: Token | None = None
    """Of the first handshake. `None`: the second one, which needs the key and the secret only."""
    tranzila_app_key: Token | None = None
    tranzila_secret: Token | None = None
    tranzila_base_url: PrivateApiUrl | None = None
    """In place of all of Tranzila's hosts: an emulator of them."""

    retention_days: int | None = Field(None, ge=1, le=36_500)
    """Calls and messages that are older are erased at night. `None`: they are kept for good."""

    record_calls: Switch = False
    """Calls are recorded, and callers told so at the beginning."""
    recording_days: int | None = Field(None, ge=1, le=36_500)
    """Recordings that are older are erased at night. `None`: they are kept as long as their
    calls."""

    keep_identity_numbers: Switch = False
    """Identity numbers stay as callers say and write them. Card numbers are hidden whatever this
    is."""

    eou_min_ms: int = Field(300, ge=0, le=10_000)
    eou_max_ms: int = Field(600, ge=0, le=10_000)
    eou_unsafe: Switch = False
    barge_in_min_ms: int = Field(120, ge=0, le=5_000)
    max_calls: int = Field(100, ge=1, le=100_000)
    max_call_minutes: float = Field(60.0, ge=0, le=MAX_CALL_MINUTES, allow_inf_nan=False)
    """The agent takes its leave then. 0: when Twilio ends the call."""
    calls_per_caller_hour: int = Field(0, ge=0, le=1_000)
    """Of one number, within any hour. 0: any number of them, as of the next two."""
    calls_per_caller_day: int = Field(0, ge=0, le=1_000)
    """Within any 24 hours."""
    messages_per_writer_hour: int = Field(0, ge=0, le=60)
    """That the agent answers. Loops are told apart from people whatever this is."""
    unlimited_callers: Annotated[tuple[PhoneNumber, ...], BeforeValidator(_listed)] = ()
    """Numbers that may call as often as they like."""

    daily_budget: Decimal = _money(0)
    """What the service may cost in a day of the business's, in the currency of the prices. 0: any
    amount."""
    budget_currency: Annotated[str, AfterValidator(_currency)] = "USD"
    price_call_minute: Decimal = _money(0)
    """Of a call's every begun minute at Twilio."""
    price_stt_minute: Decimal = _money(0)
    """Of listening."""
    price_tts_million: Decimal = _money(0)
    """Of a million characters spoken."""
    price_llm_in_million: Decimal = _money(0)
    """Of a million tokens read by the model."""
    price_llm_out_million: Decimal = _money(0)
    """Of a million tokens written by it."""
    price_message: Decimal = _money(0)
    """Of a message that leaves by Twilio."""
    drain_seconds: float = Field(600.0, ge=0, le=86_400, allow_inf_nan=False)
    log_format: Literal["logfmt", "json"] = "logfmt"

    otel_exporter_otlp_endpoint: ApiUrl | None = None
    """Of a receiver of OTLP over HTTP: each call is told there as a trace. `None`: nowhere."""
    otel_exporter_otlp_headers: Annotated[SecretStr, AfterValidator(_header_list)] | None = None
    """`name=value,name=value`."""
    otel_service_name: Annotated[str, Field(max_length=200)] = "voiceagent"

    @property
    def trace_headers(self) -> dict[str, str]:
        """What the receiver of traces wants to be sent along."""
        given = self.otel_exporter_otlp_headers
        return {} if given is None else _headers(given.get_secret_value())

    @property
    def sends_by_twilio(self) -> bool:
        """Whether WhatsApp messages can leave by Twilio."""
        account = self.twilio_account_sid is not None and self.twilio_auth_token is not None
        return account and self.twilio_whatsapp_from is not None

    @property
    def only_twilio_sends(self) -> bool:
        """Whether nothing was said of a sidecar: who never wrote is written to by Twilio then."""
        said_nothing = self.baileys_url is None and self.baileys_token is None
        return self.sends_by_twilio and said_nothing

    @property
    def missing_for_paypal(self) -> tuple[str, ...]:
        """Variables without which no payment goes by PayPal; none when it is configured."""
        return self._unset("PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET")

    @property
    def missing_for_tranzila(self) -> tuple[str, ...]:
        """Variables without which no payment goes by Tranzila; none when it is configured."""
        return self._unset("TRANZILA_TERMINAL", "TRANZILA_APP_KEY", "TRANZILA_SECRET")

    def _unset(self, *names: str) -> tuple[str, ...]:
        return tuple(name for name in names if getattr(self, name.lower()) is None)

    @property
    def checks_signatures(self) -> bool:
        """Whether requests of Twilio must carry its signature."""
        return self.twilio_auth_token is not None and self.twilio_signature_check

    def warnings(self) -> list[str]:
        """What the operator should know at start, one sentence each."""
        sentences = []
        if self.twilio_auth_token is None:
            sentences.append(
                "TWILIO_AUTH_TOKEN is not set: webhooks and sockets are taken from anybody."
            )
        elif not self.twilio_signature_check:
            sentences.append(
                "TWILIO_SIGNATURE_CHECK is 0: webhooks and sockets are taken from anybody."
            )
        if self.twilio_whatsapp_from is not None and not self.sends_by_twilio:
            sentences.append(
                "TWILIO_WHATSAPP_FROM is set, but not TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN:"
                " no message is sent by Twilio."
            )
        sentences.extend(self._payment_warnings())
        if self.bench_engines:
            sentences.append("BENCH_ENGINES is 1: callers hear a tone and nobody understands them.")
        return sentences

    def _payment_warnings(self) -> list[str]:
        sentences = []
        for provider, missing, needed in (
            ("PayPal", self.missing_for_paypal, 2),
            ("Tranzila", self.missing_for_tranzila, 3),
        ):
            if 0 < len(missing) < needed:
                sentences.append(f"{provider} takes no payments: {', '.join(missing)} missing.")
        if not self.missing_for_paypal and self.paypal_webhook_id is None:
            sentences.append(
                "PAYPAL_WEBHOOK_ID is not set: payments by PayPal are found by asking only,"
                " which takes longer."
            )
        return sentences


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The settings that these environment variables make.

    An empty variable counts as unset, foreign ones are ignored. Raises
    `SettingsError` with every fault at once.
    """
    faults: list[str] = []
    given = _given(environ, faults)
    _check_credentials(given, faults)
    _check_silences(given, faults)
    _check_llm(given, faults)
    _check_budget(given, faults)
    if "AGENT_FILE" in given:
        _read("AGENT_FILE", Path(given["AGENT_FILE"]), faults)
    settings = _validate(given, faults)
    if faults or settings is None:
        # A value may hold line breaks; a fault is one line.
        raise SettingsError([" ".join(fault.split()) for fault in faults])
    return settings


def _given(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """The variables that are ours and set, secrets read from their files."""
    given = {}
    for name in (field.upper() for field in Settings.model_fields):
        value = environ.get(name, "").strip()
        path = environ.get(f"{name}_FILE", "").strip() if name in _SECRETS else ""
        if value and path:
            faults.append(f"{name} and {name}_FILE are both set: keep one of them.")
        elif path:
            value = _read(f"{name}_FILE", Path(path), faults).strip()
        if value:
            given[name] = value
    return given


def _read(name: str, path: Path, faults: list[str]) -> str:
    """The text of a small file; an unreadable one is a fault of the variable `name`."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) > _MAX_FILE_BYTES:
            faults.append(f"{name}: the file {path} is larger than 64 KB.")
            return ""
        text = content.decode()
    except OSError as error:
        faults.append(f"{name}: the file {path} cannot be read ({error.strerror}).")
        return ""
    except ValueError:
        faults.append(f"{name}: the file {path} is not UTF-8 text.")
        return ""
    if not text.strip():
        faults.append(f"{name}: the file {path} is empty.")
    return text


def _check_credentials(given: Mapping[str, str], faults: list[str]) -> None:
    path = given.get("GOOGLE_APPLICATION_CREDENTIALS")
    inline = given.get("GCP_CREDENTIALS_JSON")
    if path and inline:
        faults.append(
            "GOOGLE_APPLICATION_CREDENTIALS and GCP_CREDENTIALS_JSON are both set: "
            "keep exactly one of them."
        )
    if path:
        text = _read("GOOGLE_APPLICATION_CREDENTIALS", Path(path), faults)
        if text.strip() and not _is_credentials(text):
            faults.append(
                f"GOOGLE_APPLICATION_CREDENTIALS: the file {path} does not hold the JSON of a key."
            )
    if inline and not _is_credentials(inline):
        faults.append("GCP_CREDENTIALS_JSON does not hold the whole JSON of a key.")


def _is_credentials(text: str) -> bool:
    try:
        credentials = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(credentials, dict) and isinstance(credentials.get("type"), str)


def _validate(given: Mapping[str, str], faults: list[str]) -> Settings | None:
    values: dict[str, Any] = {name.lower(): value for name, value in given.items()}
    values |= _engines(given, faults)
    values.setdefault("deploy_id", f"start-{secrets.token_hex(6)}")
    values.setdefault("stt_language", "en-US" if values["stt_engine"] == "local" else "he-IL")
    values.setdefault("agent_language", values["stt_language"])
    try:
        settings = Settings.model_validate(values)
    except PydanticValidationError as error:
        # A language that is wrong would be told a second time as its follower's fault.
        follower = "agent_language" if "AGENT_LANGUAGE" not in given else None
        faults.extend(
            _sentence(fault, given)
            for fault in error.errors(include_url=False, include_context=False)
            if fault["loc"][0] != follower
        )
        return None
    if settings.baileys_url is None and settings.baileys_port is not None:
        there = f"http://127.0.0.1:{settings.baileys_port}"
        return settings.model_copy(update={"baileys_url": there})
    return settings


def _engines(given: Mapping[str, str], faults: list[str]) -> dict[str, Engine]:
    """Which engine listens and which one speaks."""
    try:
        bench = _switch(given.get("BENCH_ENGINES", "0")) is True
    except ValueError:
        bench = False  # told as the fault of BENCH_ENGINES itself
    has_key = "GOOGLE_APPLICATION_CREDENTIALS" in given or "GCP_CREDENTIALS_JSON" in given
    engines: dict[str, Engine] = {}
    for kind in ("STT", "TTS"):
        engine: Engine = "local"
        wanted = given.get(f"{kind}_ENGINE", "").lower()
        if wanted not in {"", "google", "local"}:
            faults.append(f"{kind}_ENGINE must be google or local, not {wanted[:60]!r}.")
        if bench:
            engine = "bench"
        elif wanted == "google" or (not wanted and (has_key or f"GOOGLE_{kind}_ENDPOINT" in given)):
            engine = "google"
        engines[f"{kind.lower()}_engine"] = engine
    return engines


def _sentence(fault: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """A validation fault as one sentence that names the variable and hides secrets."""
    name = str(fault["loc"][0]).upper()
    said = _WORDING.get(fault["type"]) or (
        fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    )
    if name in _SECRETS:
        return f"{name} {said}."
    return f"{name} {said}, not {given.get(name, '')[:60]!r}."


def _check_llm(given: Mapping[str, str], faults: list[str]) -> None:
    url = given.get("LLM_BASE_URL")
    if url and not url.rstrip("/").endswith("/v1"):
        faults.append(f"LLM_BASE_URL must end in /v1, not {url[-60:]!r}.")
    if url and "LLM_MODEL" not in given:
        faults.append("LLM_BASE_URL is set, but LLM_MODEL is not: name the model.")
    if not url and "LLM_MODEL" in given:
        faults.append("LLM_MODEL is set, but LLM_BASE_URL is not: name the server.")


def _check_budget(given: Mapping[str, str], faults: list[str]) -> None:
    prices = [name for name in given if name.startswith("PRICE_")]
    if _is_positive(given.get("DAILY_BUDGET", "")) and not any(
        _is_positive(given[name]) for name in prices
    ):
        faults.append(
            "DAILY_BUDGET is set, but no price is: say what a minute of a call costs"
            " (PRICE_CALL_MINUTE), and whatever else is paid for (docs/limits.md)."
        )


def _is_positive(amount: str) -> bool:
    """Whether it is more than nothing; what is no number is told elsewhere."""
    return any(digit in "123456789" for digit in amount.lower().partition("e")[0])


def _check_silences(given: Mapping[str, str], faults: list[str]) -> None:
    """The silence that ends an utterance is 300 to 600 ms (playbook B4) unless that is waived."""
    silences_ms = {"EOU_MIN_MS": 300, "EOU_MAX_MS": 600}
    for name in silences_ms:
        value = given.get(name, "")
        if value.isascii() and value.isdecimal():
            silences_ms[name] = int(value[:9])
    if silences_ms["EOU_MIN_MS"] > silences_ms["EOU_MAX_MS"]:
        faults.append(
            "EOU_MIN_MS ({EOU_MIN_MS}) is greater than EOU_MAX_MS ({EOU_MAX_MS}).".format_map(
                silences_ms
            )
        )
    if given.get("EOU_UNSAFE", "0").lower() in _YES:
        return
    faults.extend(
        f"{name} must be within 300 and 600 ms, not {value}; EOU_UNSAFE=1 allows others."
        for name, value in silences_ms.items()
        if not 300 <= value <= 600
    )
