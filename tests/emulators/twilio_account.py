"""The pages of a Twilio account that its owner looks at: itself, its numbers, what a call did.

Part of `twilio_rest.py`, which checks who asks and serves them. Requests flow in, status and
JSON flow out.
"""

import re
from collections.abc import Mapping
from typing import Any

_NUMBERS = re.compile(r"/IncomingPhoneNumbers(?:/(PN\w+))?\.json")
_OF_CALL = re.compile(r"/Calls/([\w-]+)/(Events|Notifications)\.json")


class AccountPages:
    """One account. Change what it holds at any time."""

    def __init__(self, own_numbers: set[str]) -> None:
        self.status = "active"
        self.numbers: dict[str, dict[str, Any]] = {
            f"PN{index:032d}": {
                "sid": f"PN{index:032d}",
                "phone_number": number,
                "voice_url": "https://demo.twilio.com/welcome/voice/",
                "voice_method": "POST",
                "voice_fallback_url": None,
                "voice_fallback_method": "POST",
                "trunk_sid": None,
                "voice_application_sid": None,
            }
            for index, number in enumerate(sorted(own_numbers))
        }
        self.events: dict[str, list[dict[str, Any]]] = {}
        """By the call: requests of Twilio's, each with its answer."""
        self.notifications: dict[str, list[dict[str, Any]]] = {}
        """By the call: errors and warnings."""
        self.alerts: list[dict[str, Any]] = []
        """Of the whole account, two on a page."""

    def alerts_page(self, query: Mapping[str, str], base_url: str) -> dict[str, Any]:
        """`/v1/Alerts` of the monitor's host."""
        page = int(query.get("Page", "0"))
        shown = self.alerts[2 * page : 2 * page + 2]
        more = len(self.alerts) > 2 * page + 2
        following = f"{base_url}/v1/Alerts?Page={page + 1}" if more else None
        return {"alerts": shown, "meta": {"next_page_url": following}}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], form: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]] | None:
        """`path` is what comes after the account's own; None when it is no page of these."""
        if path == ".json":
            return 200, {"sid": "AC", "status": self.status, "type": "Full"}
        if match := _NUMBERS.fullmatch(path):
            return self._numbers(match[1], method, query, form)
        if match := _OF_CALL.fullmatch(path):
            kind = match[2].lower()
            held = self.events if kind == "events" else self.notifications
            return 200, {kind: held.get(match[1], []), "next_page_uri": None}
        return None

    def _numbers(
        self, sid: str | None, method: str, query: Mapping[str, str], form: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]] | None:
        if sid is None:
            wanted = query.get("PhoneNumber", "")
            # As Twilio's: a part of a number will do, and a star is any digits.
            like = re.compile(".*".join(map(re.escape, wanted.split("*"))))
            found = [one for one in self.numbers.values() if like.search(one["phone_number"])]
            return 200, {"incoming_phone_numbers": found, "next_page_uri": None}
        if sid not in self.numbers:
            return None
        if method == "POST":
            names = {
                "VoiceUrl": "voice_url",
                "VoiceMethod": "voice_method",
                "VoiceFallbackUrl": "voice_fallback_url",
                "VoiceFallbackMethod": "voice_fallback_method",
            }
            self.numbers[sid] |= {names[name]: value for name, value in form.items()}
        return 200, self.numbers[sid]
