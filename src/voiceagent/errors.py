"""The errors of this service.

    VoiceAgentError
    ├── SettingsError        the environment is wrong; one line per fault, names the variable
    ├── ProviderError        an outside part or an engine failed; `retryable` tells if it may heal
    │   ├── EngineTimeout    it did not answer before its deadline
    │   └── OutcomeUnknown   it did not answer, and may have done what was asked all the same
    ├── ProtocolError        a peer sent what its protocol does not allow
    ├── NotFound             there is no such record
    ├── Conflict             what is there already does not allow it
    ├── InvalidCursor        a list's cursor is not one that this service gave out
    └── AgentFileError       the agent's TOML is wrong; names the key

Domain errors know nothing of HTTP: `web/problems.py` maps them.
"""


class VoiceAgentError(Exception):
    """Root of every error that this package raises on purpose."""


class SettingsError(VoiceAgentError):
    """One or more environment variables are wrong.

    `faults` holds one sentence per fault; each names its variable and never
    prints a secret's value.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class ProviderError(VoiceAgentError):
    """An engine, database or outside service failed.

    `retryable` is true when the same request may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class EngineTimeout(ProviderError):
    """An engine did not answer before its deadline."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class OutcomeUnknown(ProviderError):
    """No answer came: what was asked for may have been done, or may still be."""

    def __init__(self, why: str) -> None:
        super().__init__(f"it may have been done: {why}", retryable=True)


class ProtocolError(VoiceAgentError):
    """A peer sent a message that its protocol does not allow."""


class NotFound(VoiceAgentError):
    """There is no such record."""


class Conflict(VoiceAgentError):
    """What is there already does not allow it: that time is taken, that is closed."""


class InvalidCursor(VoiceAgentError):
    """A list was asked to go on from a cursor that this service never gave out."""


class AgentFileError(VoiceAgentError):
    """The agent's own file is wrong.

    `faults` holds one sentence per fault; each names the file and the key.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
