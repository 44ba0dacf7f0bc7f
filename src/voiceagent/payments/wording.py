"""What payers and the owner read, in Hebrew and in English.

A language, an amount and what it is for flow in, sentences flow out. Pure.
"""

from dataclasses import dataclass
from typing import Final, Literal

from voiceagent.payments.money import Money
from voiceagent.payments.ports import ProviderName

Language = Literal["he", "en"]

# An amount inside a right-to-left text keeps its own direction.
_ISOLATED: Final = "\u2066{}\u2069"


@dataclass(frozen=True, slots=True)
class PageWords:
    """The pay page in one language."""

    language: Language
    direction: Literal["rtl", "ltr"]
    title: str
    amount: str
    what_for: str
    buttons: dict[ProviderName, str]
    safe: str
    not_accepted: str
    left_unpaid: str
    confirming: str
    confirming_more: str
    thanks: str
    thanks_more: str
    refunded: str
    cancelled: str
    expired: str
    unknown: str
    unknown_more: str
    trouble: str
    trouble_more: str
    again: str
    other_language: str


HEBREW: Final = PageWords(
    language="he",
    direction="rtl",
    title="תשלום",
    amount="לתשלום",
    what_for="עבור",
    buttons={"paypal": "לתשלום ב-PayPal", "tranzila": "לתשלום בכרטיס אשראי"},
    safe="התשלום נעשה בדף המאובטח של חברת הסליקה. פרטי הכרטיס אינם מגיעים אלינו.",
    not_accepted="התשלום הקודם לא אושר. לא חויבתם, ואפשר לנסות שוב.",
    left_unpaid="התשלום לא הושלם. אפשר לנסות שוב.",
    confirming="מאמתים את התשלום…",
    confirming_more="זה לוקח בדרך כלל כמה שניות. אפשר גם לסגור את הדף: נעדכן כשהתשלום יתקבל.",
    thanks="תודה, התשלום התקבל",
    thanks_more="אפשר לסגור את הדף.",
    refunded="התשלום הוחזר",
    cancelled="התשלום בוטל. אין צורך לשלם.",
    expired="תוקף הקישור פג. אפשר לבקש מהעסק קישור חדש.",
    unknown="הקישור אינו נכון",
    unknown_more="כדאי לבדוק שהקישור הועתק בשלמותו.",
    trouble="אי אפשר לשלם כרגע",
    trouble_more="כדאי לנסות שוב בעוד כמה דקות. אם כבר שילמתם, נעדכן כשהתשלום יתקבל.",
    again="לנסות שוב",
    other_language="English",
)

ENGLISH: Final = PageWords(
    language="en",
    direction="ltr",
    title="Payment",
    amount="To pay",
    what_for="For",
    buttons={"paypal": "Pay with PayPal", "tranzila": "Pay by card"},
    safe="You pay on the payment company's own secure page. Your card's details never reach us.",
    not_accepted="The last payment was not accepted. You were not charged; you can try again.",
    left_unpaid="The payment was not completed. You can try again.",
    confirming="Confirming your payment…",
    confirming_more="It usually takes some seconds. You may close this page: we will tell you when"
    " the payment has come.",
    thanks="Thank you, your payment has come",
    thanks_more="You can close this page.",
    refunded="Your payment was refunded",
    cancelled="This payment was cancelled. There is nothing to pay.",
    expired="This link is no longer valid. Please ask the business for a new one.",
    unknown="This link is not right",
    unknown_more="Please check that all of it was copied.",
    trouble="You cannot pay right now",
    trouble_more="Please try again in some minutes. If you have paid already, we will tell you when"
    " the payment has come.",
    again="Try again",
    other_language="עברית",
)

WORDS: Final[dict[Language, PageWords]] = {"he": HEBREW, "en": ENGLISH}


def language_of(tag: str) -> Language:
    """Of a BCP 47 tag: Hebrew, or English for every other one."""
    return "he" if tag.partition("-")[0].lower() in {"he", "iw"} else "en"


def link_text(language: Language, business: str, what_for: str, money: Money, url: str) -> str:
    """The message that brings a link."""
    ask = "לתשלום" if language == "he" else "To pay"
    lines = [business, f"{what_for}: {_price(language, money)}", f"{ask}: {url}"]
    return "\n".join(line for line in lines if line)


def received_text(language: Language, what_for: str, money: Money) -> str:
    """What the conversation is told when the money came."""
    price = _price(language, money)
    about = f" ({what_for})" if what_for else ""
    if language == "he":
        return f"התשלום התקבל, תודה! {price}{about}"
    return f"Payment received, thank you! {price}{about}"


def owner_text(language: Language, what_for: str, money: Money, who: str, change: str) -> str:
    """What the owner is told."""
    verbs = {
        ("he", "paid"): "התקבל תשלום",
        ("he", "refunded"): "הוחזר תשלום",
        ("en", "paid"): "Paid",
        ("en", "refunded"): "Refunded",
    }
    parts = [f"{verbs[language, change]}: {_price(language, money)}", what_for, who]
    return ", ".join(part for part in parts if part)


def _price(language: Language, money: Money) -> str:
    return _ISOLATED.format(money.shown()) if language == "he" else money.shown()
