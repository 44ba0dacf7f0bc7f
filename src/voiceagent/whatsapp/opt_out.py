"""The words by which people end messages, and have them again.

A message's text flows in; what it asks for, and how that is confirmed, flow out. The whole
message counts, not a word in one: "don't stop the cheque" ends nothing. Pure.

"הסר" is the word of Israel's spam law (section 30A of the Communications Law); the English ones are
those that every messaging service honours. "Cancel", "end" and "quit" are not among them: in a
conversation about appointments they are answers.
"""

import re
from typing import Final

from voiceagent.crm.recording.message_models import Wish

_MAX_CHARS: Final = 60
_LETTERS: Final = re.compile(r"[^\W_]+")
_MARKS: Final = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]")


def _phrases(*texts: str) -> frozenset[str]:
    return frozenset(_spelled(phrase) for text in texts for phrase in text.split("|"))


def _spelled(text: str) -> str:
    """Its words in small letters, without punctuation and niqqud."""
    return " ".join(_LETTERS.findall(_MARKS.sub("", text).casefold()))


_STOP: Final = _phrases(
    "stop|stop all|stopall|unsubscribe|opt out|optout|remove me|remove me please|please remove me",
    "הסר|הסירו|להסיר|הסרה|להסרה|הסר אותי|הסירו אותי|תסירו אותי|תסיר אותי|תסירי אותי|נא להסיר",
    "הסר בבקשה|הסירו אותי בבקשה|נא להסיר אותי|הפסיקו לשלוח|תפסיקו לשלוח|לא לשלוח יותר",
    "стоп|отписаться|отпишите меня|إلغاء الاشتراك|أوقف",
)
_START: Final = _phrases(
    "start|unstop|opt in|optin|subscribe",
    "התחל|התחילו|תתחילו לשלוח|להתחיל|הצטרף|להצטרף|חזרו לשלוח",
    "старт|подписаться|ابدأ|اشتراك",
)

_HEBREW: Final = re.compile("[\u05d0-\u05ea]")
_CONFIRMED: Final[dict[tuple[str, Wish], str]] = {
    ("he", "stop"): "הוסרתם, ולא נשלח עוד הודעות. כדי לקבל אותן שוב אפשר לכתוב ״התחל״.",
    ("he", "start"): "מעכשיו תקבלו מאיתנו הודעות שוב. כדי להפסיק אפשר לכתוב ״הסר״.",
    ("en", "stop"): "You will get no more messages from us. Write START to get them again.",
    ("en", "start"): "You will get our messages again. Write STOP to end them.",
}


def wish_of(text: str) -> Wish | None:
    """What a message asks for, if it is nothing but one of the words."""
    if len(text) > _MAX_CHARS:
        return None
    spelled = _spelled(text)
    if spelled in _STOP:
        return "stop"
    return "start" if spelled in _START else None


def confirmation(text: str, wish: Wish) -> str:
    """What is answered to it, in the script of its word."""
    return _CONFIRMED["he" if _HEBREW.search(text) else "en", wish]
