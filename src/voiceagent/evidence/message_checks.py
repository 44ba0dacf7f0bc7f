"""Checks of WhatsApp: a message out and one in, both answered 204 and in the CRM (playbook B5).

Answers and what the CRM shows flow in, verdicts flow out. Pure.
"""

import json
from typing import Final

from voiceagent.evidence.check import Check, check
from voiceagent.evidence.facts import MessageFacts
from voiceagent.evidence.service_checks import SIGN

OUT: Final = "WhatsApp out: POST /api/whatsapp/send 204, saved as out + sent"
IN: Final = "WhatsApp in: POST /webhook/whatsapp/twilio 204, saved as in + received"

_SENT: Final = frozenset({"sent", "delivered", "read"})


def message_out(facts: MessageFacts | None) -> Check:
    """A message was sent. None: nobody was named to write to."""
    if facts is None:
        return check(
            OUT,
            ["nobody was written to: no --whatsapp-to"],
            "",
            "--whatsapp-to +972…, or --no-whatsapp for a service that has none",
        )
    status = facts.answer.status
    faults = []
    if status == 202:
        faults.append("it was answered 202: the message waits, WhatsApp has not acknowledged it")
    elif status != 204:
        faults.append(f"it was answered {facts.answer.outcome}{_detail(facts)}")
    if facts.view is not None:
        shown = f"{facts.view.get('direction')} + {facts.view.get('status')}"
        if facts.view.get("direction") != "out" or facts.view.get("status") not in _SENT:
            why = str(facts.view.get("error") or "")
            faults.append(f"the CRM has {shown}{f' ({why})' if why else ''}")
    elif status in {202, 204}:
        faults.append(facts.view_fault or "the CRM does not have it")
    if faults and facts.sidecar:
        faults.append(f"the sidecar: {facts.sidecar}")
    return check(
        OUT,
        faults,
        "204, saved as out + " + str((facts.view or {}).get("status")),
        "Is the sidecar running and a phone linked? script/voiceagent whatsapp status",
        _raw(facts),
    )


def message_in(facts: MessageFacts) -> Check:
    """A message came, as Twilio tells of one."""
    faults = []
    if facts.answer.status != 204:
        faults.append(f"it was answered {facts.answer.outcome}{_detail(facts)}")
    elif facts.view is None:
        faults.append(facts.view_fault or "the CRM does not have it")
    else:
        shown = (facts.view.get("direction"), facts.view.get("status"))
        if shown != ("in", "received"):
            faults.append(f"the CRM has {shown[0]} + {shown[1]}")
    todo = "See the service's log: CRM_MESSAGE_SAVED is missing."
    if facts.answer.status == 403:
        todo = SIGN
    return check(IN, faults, "204, saved as in + received (simulated sender)", todo, _raw(facts))


def _detail(facts: MessageFacts) -> str:
    try:
        told = json.loads(facts.answer.body)
    except ValueError:
        return ""
    detail = told.get("detail") if isinstance(told, dict) else None
    return f": {detail}" if detail else ""


def _raw(facts: MessageFacts) -> str:
    shown = ""
    if facts.view is not None:
        shown = "\n\n" + json.dumps(facts.view, indent=2, ensure_ascii=False, default=str)
    return facts.answer.raw() + shown
