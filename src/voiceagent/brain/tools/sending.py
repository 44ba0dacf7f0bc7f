"""Tools that write to the caller: a message, a payment link.

In goes what to write; out it goes to the caller's own number, which no tool takes from the
model. A payment link is never told to the model, so that nobody hears it read out.
"""

from typing import Final

from voiceagent.brain.plain_text import one_line
from voiceagent.brain.tool_ports import Cashier, Messenger
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.arguments import PaymentRequest, WrittenMessage
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import Refused, Tool
from voiceagent.errors import ProviderError

MAX_MESSAGES: Final = 3
MAX_PAYMENT_LINKS: Final = 2
_SIGNS: Final = {"ILS": "₪", "USD": "$", "EUR": "€", "GBP": "£"}


def whatsapp_tool(setting: ToolSetting, messenger: Messenger) -> Tool[WrittenMessage]:
    """A message to the caller's own number."""

    async def run(request: WrittenMessage, key: str) -> ToolResult:
        await _send(messenger, setting, request.text, key)
        return ToolResult("The message is on its way. Tell the caller to look at WhatsApp.")

    return Tool(
        "send_whatsapp",
        "Write to this caller on WhatsApp, at the number they call from: an address, a summary,"
        " what is easier read than heard. Ask before you send it.",
        WrittenMessage,
        run,
        MAX_MESSAGES,
    )


def payment_tool(
    setting: ToolSetting, cashier: Cashier, messenger: Messenger
) -> Tool[PaymentRequest]:
    """A payment link, sent to the caller's own number."""

    async def run(request: PaymentRequest, key: str) -> ToolResult:
        link = await cashier.payment_link(
            setting.party, request.amount_minor, request.currency, request.what_for, key
        )
        price = f"{_SIGNS[request.currency]}{request.amount}"
        text = f"{setting.profile.business}\n{request.what_for}: {price}\n{link.url}"
        await _send(messenger, setting, text, f"{key}-link")
        return ToolResult(
            f"A link to pay {price} is on its way to the caller's WhatsApp. Say so; it is not paid"
            " before they follow it. Never ask for a card number."
        )

    return Tool(
        "send_payment_link",
        "Send this caller a link by WhatsApp to pay online. Only an amount that the business's"
        " facts name or that the caller owes by them, repeated to the caller and agreed to.",
        PaymentRequest,
        run,
        MAX_PAYMENT_LINKS,
    )


async def _send(messenger: Messenger, setting: ToolSetting, text: str, key: str) -> None:
    try:
        await messenger.send(setting.party, text, key)
    except ProviderError as error:
        if error.retryable:
            raise
        # The port's own sentence for the model: there is no number to write to.
        raise Refused(f"Not sent: {one_line(str(error), 300)}") from None
