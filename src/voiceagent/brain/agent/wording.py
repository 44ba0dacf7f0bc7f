"""What an agent says besides its questions, when its file does not say it itself.

In goes a BCP 47 tag; out come sentences by the keys of the agent file's table
`phrases`. Languages other than Arabic, English, Hebrew and Russian have none: their
files must bring their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voiceagent.brain.languages import primary_of

LONGEST_NAME: Final = 500

_Sentences = Mapping[str, str | list[str]]

_ENGLISH: Final[_Sentences] = {
    "reprompts": ["Are you still there?", "I cannot hear you. Are you on the line?"],
    "goodbye": "Thank you for calling. Goodbye.",
    "apology": "I am sorry, something went wrong on our side. Please say that once more.",
    "cannot_hear": "I am sorry, something is wrong on our side and I cannot hear you."
    " Please call again in a few minutes. Goodbye.",
    "busy": "Thank you for calling {business}. All our lines are busy. Please call again soon.",
    "too_many_calls": (
        "Thank you for calling {business}. You have called us several times already."
        " Please call again later. Goodbye."
    ),
    "nearly_over": "Just so you know, this call has to end soon.",
    "leave_message": (
        "Thank you for calling {business}. We cannot talk just now."
        " Please leave a message after the tone, and we will call you back."
    ),
    "not_today": (
        "Thank you for calling {business}. We cannot take any more calls today."
        " Please call again tomorrow. Goodbye."
    ),
    "not_understood": ["Sorry, I did not catch that.", "I am sorry, I did not understand."],
    "again": ["Of course.", "Sure, once more.", "No problem."],
    "wait": "Of course, take your time.",
    "skip": "That is fine.",
    "move_on": "Never mind, let us go on.",
    "noted": "All right.",
    "one_moment": "One moment, please.",
    "still_working": "Still checking, just a moment.",
    "takeover": "I am having a technical difficulty. Let me take your details.",
    "only_languages": "I am sorry, I do not speak that language. Shall somebody call you back?",
    "voicemail": (
        "Hello, this is {business}. We tried to reach you."
        " Please call us back when it suits you. Goodbye."
    ),
    "transfer": "I am connecting you now.",
    "transfer_failed": (
        "I am sorry, nobody is free right now. I can take a message, and we will call you back."
    ),
    "no_person": (
        "I cannot put you through from here. I will note everything, and we will call you back."
    ),
    "robot": "I am a computer program that answers the telephone for {business}.",
    "recording": "This call is being recorded.",
}

_HEBREW: Final[_Sentences] = {
    "reprompts": ["האם אתם עדיין על הקו?", "לא שומעים אתכם. אתם איתנו?"],
    "goodbye": "תודה שהתקשרתם, להתראות.",
    "apology": "סליחה, הייתה אצלנו תקלה. אפשר לומר את זה שוב?",
    "cannot_hear": "סליחה, יש אצלנו תקלה ואיננו שומעים אתכם."
    " אפשר להתקשר שוב בעוד כמה דקות. להתראות.",
    "busy": "תודה שהתקשרתם אל {business}. כל הקווים תפוסים כרגע. נשמח אם תתקשרו שוב בעוד זמן קצר.",
    "too_many_calls": (
        "תודה שהתקשרתם אל {business}. כבר דיברנו כמה פעמים בזמן האחרון."
        " נשמח אם תתקשרו שוב מאוחר יותר. להתראות."
    ),
    "nearly_over": "רק שתדעו, השיחה צריכה להסתיים בקרוב.",
    "leave_message": (
        "תודה שהתקשרתם אל {business}. איננו יכולים לשוחח כרגע."
        " אפשר להשאיר הודעה אחרי הצפצוף, ונחזור אליכם."
    ),
    "not_today": (
        "תודה שהתקשרתם אל {business}. לא נוכל לענות היום על שיחות נוספות."
        " נשמח אם תתקשרו שוב מחר. להתראות."
    ),
    "not_understood": ["סליחה, לא שמענו היטב.", "מצטערים, זה לא היה ברור."],
    "again": ["כמובן.", "בשמחה, שוב.", "אין בעיה."],
    "wait": "כמובן, קחו את הזמן.",
    "skip": "זה בסדר גמור.",
    "move_on": "לא נורא, נמשיך הלאה.",
    "noted": "בסדר גמור, תיקנו.",
    "one_moment": "רגע אחד, בבקשה.",
    "still_working": "עוד בודקים, רק רגע.",
    "takeover": "סליחה, יש לנו תקלה טכנית. נרשום את הפרטים שלכם ונחזור אליכם.",
    "only_languages": "סליחה, אנחנו לא מדברים בשפה הזאת. תרצו שנחזור אליכם?",
    "voicemail": (
        "שלום, כאן {business}. ניסינו להשיג אתכם."
        " נשמח אם תחזרו אלינו כשיהיה לכם נוח. תודה ולהתראות."
    ),
    "transfer": "אנחנו מעבירים אתכם עכשיו.",
    "transfer_failed": "סליחה, כרגע אין אף אחד פנוי. אפשר להשאיר הודעה ונחזור אליכם.",
    "no_person": "אי אפשר להעביר את השיחה מכאן. נרשום הכול ונחזור אליכם.",
    "robot": "אתם מדברים עם מענה ממוחשב של {business}.",
    "recording": "השיחה הזאת מוקלטת.",
}

_RUSSIAN: Final[_Sentences] = {
    "reprompts": ["Вы ещё на линии?", "Вас не слышно. Вы с нами?"],
    "goodbye": "Спасибо за звонок. До свидания.",
    "apology": "Извините, у нас произошёл сбой. Повторите, пожалуйста.",
    "cannot_hear": "Извините, у нас неполадки, и мы вас не слышим."
    " Перезвоните, пожалуйста, через несколько минут. До свидания.",
    "busy": "Здравствуйте, это {business}. Сейчас все линии заняты. Позвоните, пожалуйста, позже.",
    "too_many_calls": (
        "Здравствуйте, это {business}. Вы уже звонили нам несколько раз."
        " Пожалуйста, позвоните позже. До свидания."
    ),
    "nearly_over": "Обращаем внимание: разговор скоро придётся закончить.",
    "leave_message": (
        "Здравствуйте, это {business}. Сейчас мы не можем говорить."
        " Оставьте, пожалуйста, сообщение после сигнала, и мы вам перезвоним."
    ),
    "not_today": (
        "Здравствуйте, это {business}. Сегодня мы больше не можем принимать звонки."
        " Пожалуйста, позвоните завтра. До свидания."
    ),
    "not_understood": ["Извините, не удалось расслышать.", "Простите, это было неясно."],
    "again": ["Конечно.", "Хорошо, ещё раз.", "Без проблем."],
    "wait": "Конечно, не торопитесь.",
    "skip": "Ничего страшного.",
    "move_on": "Ничего, пойдём дальше.",
    "noted": "Хорошо, исправлено.",
    "one_moment": "Одну минуту, пожалуйста.",
    "still_working": "Ещё проверяем, секунду.",
    "takeover": "Извините, у нас технический сбой. Мы запишем ваши данные и перезвоним вам.",
    "only_languages": "Извините, на этом языке мы не говорим. Хотите, чтобы вам перезвонили?",
    "voicemail": (
        "Здравствуйте, это {business}. Нам не удалось до вас дозвониться."
        " Пожалуйста, перезвоните нам, когда вам будет удобно. До свидания."
    ),
    "transfer": "Сейчас мы вас соединим.",
    "transfer_failed": (
        "К сожалению, сейчас все заняты. Вы можете оставить сообщение, и мы вам перезвоним."
    ),
    "no_person": "Отсюда соединить вас нельзя. Мы всё запишем и перезвоним вам.",
    "robot": "Вам отвечает компьютерная программа. Это {business}.",
    "recording": "Этот разговор записывается.",
}

_ARABIC: Final[_Sentences] = {
    "reprompts": ["هل ما زلتم على الخط؟", "لا نسمعكم. هل أنتم معنا؟"],
    "goodbye": "شكرًا لاتصالكم. مع السلامة.",
    "apology": "عذرًا، حدث خلل لدينا. هل يمكنكم إعادة ما قلتم؟",
    "cannot_hear": "عذرًا، لدينا خلل ولا نسمعكم. من فضلكم اتصلوا ثانية بعد بضع دقائق. مع السلامة.",
    "busy": "أهلًا بكم، هنا {business}. جميع الخطوط مشغولة الآن. نرجو أن تتصلوا بعد قليل.",
    "too_many_calls": (
        "أهلًا بكم، هنا {business}. لقد اتصلتم بنا عدة مرات."
        " نرجو أن تعاودوا الاتصال لاحقًا. مع السلامة."
    ),
    "nearly_over": "للعلم، يجب أن تنتهي هذه المكالمة قريبًا.",
    "leave_message": (
        "أهلًا بكم، هنا {business}. لا يمكننا التحدث الآن."
        " يمكنكم ترك رسالة بعد الصافرة، وسنعاود الاتصال بكم."
    ),
    "not_today": (
        "أهلًا بكم، هنا {business}. لا يمكننا استقبال المزيد من المكالمات اليوم."
        " نرجو أن تعاودوا الاتصال غدًا. مع السلامة."
    ),
    "not_understood": ["عذرًا، لم نسمع جيدًا.", "نعتذر، لم يكن ذلك واضحًا."],
    "again": ["بالطبع.", "بكل سرور، مرة أخرى.", "لا مشكلة."],
    "wait": "بالطبع، خذوا وقتكم.",
    "skip": "لا بأس.",
    "move_on": "لا بأس، لنتابع.",
    "noted": "حسنًا، تم التصحيح.",
    "one_moment": "لحظة واحدة من فضلكم.",
    "still_working": "ما زلنا نتحقق، لحظة.",
    "takeover": "عذرًا، لدينا عطل تقني. سنسجل تفاصيلكم ونعاود الاتصال بكم.",
    "only_languages": "عذرًا، لا نتحدث هذه اللغة. هل تريدون أن نعاود الاتصال بكم؟",
    "voicemail": (
        "مرحبًا، هنا {business}. حاولنا الاتصال بكم."
        " نرجو أن تعاودوا الاتصال بنا عندما يناسبكم ذلك. مع السلامة."
    ),
    "transfer": "نحوّلكم الآن.",
    "transfer_failed": "عذرًا، لا أحد متاح الآن. يمكنكم ترك رسالة وسنعاود الاتصال بكم.",
    "no_person": "لا يمكن تحويل المكالمة من هنا. سنسجل كل شيء ونعاود الاتصال بكم.",
    "robot": "يجيبكم برنامج حاسوب باسم {business}.",
    "recording": "هذه المكالمة مسجلة.",
}

_DEFAULTS: Final = {"ar": _ARABIC, "en": _ENGLISH, "he": _HEBREW, "ru": _RUSSIAN}

_STAND_INS: Final = {
    "cannot_hear": "goodbye",
    "too_many_calls": "busy",
    "not_today": "busy",
    "one_moment": "wait",
    "still_working": "one_moment",
    "takeover": "apology",
    "only_languages": "not_understood",
    "voicemail": "goodbye",
    "transfer": "wait",
    "transfer_failed": "apology",
    "no_person": "apology",
}
"""Keys that came later, and what a file in a language without defaults says instead: it was
sound before they came, and must stay so."""


def default_phrases(language: str) -> _Sentences:
    """The fixed phrases of a language; empty when there are none."""
    return _DEFAULTS.get(primary_of(language), {})


def completed(phrases: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A file's own phrases, and the defaults of its language where it has none."""
    whole = {**default_phrases(language), **phrases}
    for key, other in _STAND_INS.items():
        match whole.get(other):
            case str(spoken) | [str(spoken), *_]:
                whole.setdefault(key, spoken)
    # Nothing else says it: better in another language than not at all.
    for key in ("robot", "recording", "nearly_over", "leave_message"):
        whole.setdefault(key, _ENGLISH[key])
    return whole


def with_business(value: Any, business: object) -> Any:
    """The same data with `{business}` filled in. A name that is too long to be one is left out: it
    is a fault of its own, and would be as long in each place."""
    if not isinstance(business, str) or len(business) > LONGEST_NAME:
        return value
    if isinstance(value, str):
        return value.replace("{business}", business)
    if isinstance(value, Mapping):
        return {key: with_business(inner, business) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [with_business(inner, business) for inner in value]
    return value
