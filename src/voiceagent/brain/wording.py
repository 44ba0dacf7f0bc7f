"""What an agent says besides its questions, when its file does not say it itself.

In goes a BCP 47 tag; out come sentences by the keys of the agent file's table
`phrases`. Languages other than English and Hebrew have none: their files must
bring their own.
"""

from collections.abc import Mapping
from typing import Final

_Sentences = Mapping[str, str | list[str]]

_ENGLISH: Final[_Sentences] = {
    "reprompts": ["Are you still there?", "I cannot hear you. Are you on the line?"],
    "goodbye": "Thank you for calling. Goodbye.",
    "apology": "I am sorry, something went wrong on our side. Please say that once more.",
    "busy": "Thank you for calling {business}. All our lines are busy. Please call again soon.",
    "not_understood": ["Sorry, I did not catch that.", "I am sorry, I did not understand."],
    "again": ["Of course.", "Sure, once more.", "No problem."],
    "wait": "Of course, take your time.",
    "skip": "That is fine.",
    "move_on": "Never mind, let us go on.",
    "noted": "All right.",
}

_HEBREW: Final[_Sentences] = {
    "reprompts": ["האם אתם עדיין על הקו?", "לא שומעים אתכם. אתם איתנו?"],
    "goodbye": "תודה שהתקשרתם, להתראות.",
    "apology": "סליחה, הייתה אצלנו תקלה. אפשר לומר את זה שוב?",
    "busy": "תודה שהתקשרתם אל {business}. כל הקווים תפוסים כרגע. נשמח אם תתקשרו שוב בעוד זמן קצר.",
    "not_understood": ["סליחה, לא שמענו היטב.", "מצטערים, זה לא היה ברור."],
    "again": ["כמובן.", "בשמחה, שוב.", "אין בעיה."],
    "wait": "כמובן, קחו את הזמן.",
    "skip": "זה בסדר גמור.",
    "move_on": "לא נורא, נמשיך הלאה.",
    "noted": "בסדר גמור, תיקנו.",
}


def default_phrases(language: str) -> _Sentences:
    """The fixed phrases of a language; empty when there are none."""
    primary = language.lower().split("-")[0]
    return {"en": _ENGLISH, "he": _HEBREW, "iw": _HEBREW}.get(primary, {})
