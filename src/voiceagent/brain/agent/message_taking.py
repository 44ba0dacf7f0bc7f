"""The script of an agent that brings no questions of its own: it takes a message.

In goes a BCP 47 tag; out come the questions and the closing, as an agent file would
hold them. It serves when the model that would have thought for itself is away.
"""

from collections.abc import Mapping
from typing import Any, Final

from voiceagent.brain.languages import primary_of

_ENGLISH: Final[Mapping[str, Any]] = {
    "closing": [
        "Thank you, {name}.",
        "We will pass your message on and call you back.",
        "Thank you for calling, and goodbye.",
    ],
    "questions": [
        {
            "id": "message",
            "save_as": "message",
            "ask": "What is it about?",
            "accept": "anything",
            "failure_value": "",
            "expect": ["please call me back", "i would like an appointment", "i have a question"],
            "retry": ["Sorry, what may I pass on?", "Please say in a few words what it is about."],
        },
        {
            "id": "name",
            "save_as": "name",
            "ask": "And what is your name, please?",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["my name is", "my name's", "this is", "it is", "it's", "i am", "i'm"],
            "expect": ["my name is david", "my name is sarah", "my name is michael"],
            "retry": ["Sorry, what is your name? You can say: my name is, and then your name."],
            "max_retries": 1,
        },
        {
            "id": "phone",
            "save_as": "phone",
            "ask": "On which number can we call you back?",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["my number is", "the number is", "on", "it is", "it's"],
            "expect": ["on this number", "the number i am calling from"],
            "retry": ["Sorry, on which number? Please say it digit by digit."],
            "max_retries": 1,
        },
    ],
}

_HEBREW: Final[Mapping[str, Any]] = {
    "closing": [
        "תודה רבה, {name}.",
        "נעביר את ההודעה ונחזור אליכם.",
        "תודה שהתקשרתם, ולהתראות.",
    ],
    "questions": [
        {
            "id": "message",
            "save_as": "message",
            "ask": "באיזה עניין התקשרתם?",
            "accept": "anything",
            "failure_value": "",
            "expect": ["אני רוצה שיחזרו אליי", "אני רוצה לקבוע פגישה", "יש לי שאלה"],
            "retry": ["סליחה, מה למסור?", "אפשר לומר בכמה מילים באיזה עניין מדובר."],
        },
        {
            "id": "name",
            "save_as": "name",
            "ask": "ומה השם, בבקשה?",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["קוראים לי", "שמי", "השם שלי הוא", "השם שלי", "השם הוא", "השם", "אני"],
            "expect": ["קוראים לי דוד", "קוראים לי שרה", "קוראים לי משה"],
            "retry": ["סליחה, מה השם? אפשר לומר: קוראים לי, ואז את השם."],
            "max_retries": 1,
        },
        {
            "id": "phone",
            "save_as": "phone",
            "ask": "לאיזה מספר טלפון נוכל לחזור אליכם?",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["המספר שלי הוא", "המספר שלי", "המספר הוא", "המספר", "למספר"],
            "expect": ["למספר הזה", "למספר שממנו התקשרתי"],
            "retry": ["סליחה, לאיזה מספר? אפשר לומר אותו ספרה אחר ספרה."],
            "max_retries": 1,
        },
    ],
}

_RUSSIAN: Final[Mapping[str, Any]] = {
    "closing": [
        "Большое спасибо, {name}.",
        "Мы передадим ваше сообщение и перезвоним вам.",
        "Спасибо за звонок, до свидания.",
    ],
    "questions": [
        {
            "id": "message",
            "save_as": "message",
            "ask": "По какому вопросу вы звоните?",
            "accept": "anything",
            "failure_value": "",
            "retry": ["Извините, что передать?", "Скажите, пожалуйста, в двух словах, о чём речь."],
        },
        {
            "id": "name",
            "save_as": "name",
            "ask": "Как вас зовут?",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["меня зовут", "моё имя", "мое имя", "это"],
            "retry": ["Извините, как вас зовут?"],
            "max_retries": 1,
        },
        {
            "id": "phone",
            "save_as": "phone",
            "ask": "По какому номеру вам перезвонить?",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["мой номер", "номер", "по номеру"],
            "retry": ["Извините, по какому номеру? Назовите его, пожалуйста, по одной цифре."],
            "max_retries": 1,
        },
    ],
}

_ARABIC: Final[Mapping[str, Any]] = {
    "closing": [
        "شكرًا جزيلًا، {name}.",
        "سننقل رسالتكم ونعاود الاتصال بكم.",
        "شكرًا لاتصالكم، مع السلامة.",
    ],
    "questions": [
        {
            "id": "message",
            "save_as": "message",
            "ask": "ما موضوع اتصالكم؟",
            "accept": "anything",
            "failure_value": "",
            "retry": ["عذرًا، ما الرسالة؟", "نرجو أن تقولوا في بضع كلمات ما الموضوع."],
        },
        {
            "id": "name",
            "save_as": "name",
            "ask": "ما الاسم من فضلكم؟",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["اسمي", "أنا", "الاسم"],
            "retry": ["عذرًا، ما الاسم؟"],
            "max_retries": 1,
        },
        {
            "id": "phone",
            "save_as": "phone",
            "ask": "على أي رقم يمكننا معاودة الاتصال بكم؟",
            "accept": "anything",
            "failure_value": "",
            "lead_ins": ["رقمي هو", "رقمي", "الرقم", "على الرقم"],
            "retry": ["عذرًا، على أي رقم؟ نرجو أن تقولوه رقمًا رقمًا."],
            "max_retries": 1,
        },
    ],
}

_SCRIPTS: Final = {"ar": _ARABIC, "en": _ENGLISH, "he": _HEBREW, "ru": _RUSSIAN}


def message_taking(language: str) -> Mapping[str, Any]:
    """`questions` and `closing` of a language; empty when there is none."""
    return _SCRIPTS.get(primary_of(language), {})
