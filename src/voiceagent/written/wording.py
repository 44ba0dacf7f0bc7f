"""What an agent says in writing where its file says it for the telephone.

In goes an agent's profile; out comes the same agent with sentences that can be read: nobody
thanks for a call, asks to press a key or connects anybody. What a business has written
itself stays, as far as it makes sense in writing. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voiceagent.brain.agent.message_taking import message_taking
from voiceagent.brain.agent.profile import AgentProfile, PhraseTable, Question
from voiceagent.brain.agent.wording import default_phrases, with_business
from voiceagent.brain.languages import primary_of
from voiceagent.brain.words.lexicon import lexicon_of

OPTIONS: Final = 5
"""More possible answers than these are not read."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?؟…])\s+")
_ANY_NUMBER: Final = "+10000000"
"""With a number the script hands over when it is asked for a person. In writing nobody dials it:
the person comes to the thread."""


@dataclass(frozen=True, slots=True)
class _Written:
    """One language's sentences."""

    file: str
    """To a file without words."""
    too_many: str
    """To whoever has written more than is answered."""
    budget: str
    """When the day's budget is spent."""
    hand_over: str
    not_understood: tuple[str, str]
    no_person: str
    goodbye: str
    robot: str
    about: str
    """In place of the built-in first question, which asks for a call's matter."""
    options: str
    spoken_only: re.Pattern[str]
    """Makes a sentence one for the telephone."""


_ENGLISH: Final = _Written(
    file=(
        "Thank you, we have received it. Only words can be answered here: could you write what it"
        " is about?"
    ),
    too_many=(
        "Thank you, all of your messages have arrived, and somebody of our team will read them."
        " The next automatic answer comes in an hour at the earliest."
    ),
    budget=(
        "Thank you, your message has arrived. Somebody of our team will answer you here as soon"
        " as possible."
    ),
    hand_over="Of course. Somebody of our team will answer you here.",
    not_understood=("Sorry, that was not clear to us.", "Sorry, we did not understand that."),
    no_person="We will note everything, and somebody will get back to you.",
    goodbye="Thank you for writing. Goodbye.",
    robot="This is an automated assistant of {business}.",
    about="What is it about?",
    options="You can answer, for example: {options}.",
    spoken_only=re.compile(r"(?i)\b(for calling|for your call|on the line|press|hear you)\b"),
)
_HEBREW: Final = _Written(
    file="קיבלנו, תודה. כאן אפשר לענות רק על מילים: אפשר לכתוב לנו במה מדובר?",
    too_many=(
        "תודה, כל ההודעות שלכם הגיעו, ומישהו מהצוות שלנו יקרא אותן."
        " המענה האוטומטי ישוב לא לפני שתעבור שעה."
    ),
    budget="תודה, ההודעה שלכם הגיעה. מישהו מהצוות שלנו יענה לכם כאן בהקדם האפשרי.",
    hand_over="בשמחה. מישהו מהצוות שלנו יענה לכם כאן.",
    not_understood=("סליחה, זה לא היה ברור לנו.", "סליחה, לא הבנו."),
    no_person="נרשום הכול, ומישהו מאיתנו יחזור אליכם.",
    goodbye="תודה שכתבתם, להתראות.",
    robot="זה מענה ממוחשב של {business}.",
    about="במה נוכל לעזור?",
    options="אפשר לענות, למשל: {options}.",
    spoken_only=re.compile(r"שהתקשרתם|על הקו|להקיש|הקישו|לא שומעים"),
)
_RUSSIAN: Final = _Written(
    file="Спасибо, мы это получили. Здесь можно ответить только на слова: напишите, о чём речь?",
    too_many=(
        "Спасибо, все ваши сообщения получены, и наш сотрудник их прочитает."
        " Следующий автоматический ответ придёт не раньше чем через час."
    ),
    budget="Спасибо, ваше сообщение получено. Наш сотрудник ответит вам здесь как можно скорее.",
    hand_over="Конечно. Вам ответит здесь наш сотрудник.",
    not_understood=("Извините, это было нам неясно.", "Извините, мы не поняли."),
    no_person="Мы всё запишем и ответим вам позже.",
    goodbye="Спасибо за сообщение. До свидания.",
    robot="Вам отвечает компьютерная программа. Это {business}.",
    about="По какому вопросу вы пишете?",
    options="Можно ответить, например: {options}.",
    spoken_only=re.compile(r"(?i)за звонок|на линии|нажмите|не слышно"),
)
_ARABIC: Final = _Written(
    file="شكرًا، وصلنا ما أرسلتم. هنا يمكن الرد على الكلمات فقط: هل يمكنكم كتابة الموضوع؟",
    too_many=(
        "شكرًا، وصلتنا كل رسائلكم، وسيقرؤها أحد أفراد فريقنا. لن يأتي الرد الآلي التالي قبل ساعة."
    ),
    budget="شكرًا، وصلتنا رسالتكم. سيرد عليكم هنا أحد أفراد فريقنا في أقرب وقت ممكن.",
    hand_over="بكل سرور. سيرد عليكم هنا أحد أفراد فريقنا.",
    not_understood=("عذرًا، لم يكن ذلك واضحًا لنا.", "عذرًا، لم نفهم."),
    no_person="سنسجل كل شيء ونعود إليكم.",
    goodbye="شكرًا لرسالتكم. مع السلامة.",
    robot="يجيبكم برنامج حاسوب باسم {business}.",
    about="ما موضوع رسالتكم؟",
    options="يمكن الإجابة، مثلًا: {options}.",
    spoken_only=re.compile(r"لاتصالكم|على الخط|اضغط|لا نسمعكم"),
)
_LANGUAGES: Final[Mapping[str, _Written]] = {
    "ar": _ARABIC,
    "en": _ENGLISH,
    "he": _HEBREW,
    "ru": _RUSSIAN,
}


def file_reply(language: str) -> str:
    """To a file without words; in English for a language that has no such sentence."""
    return _LANGUAGES.get(primary_of(language), _ENGLISH).file


def too_many_reply(language: str) -> str:
    """To whoever has written more than is answered; in English for a language that has no such
    sentence."""
    return _LANGUAGES.get(primary_of(language), _ENGLISH).too_many


def budget_reply(language: str) -> str:
    """When the day's budget is spent; in English for a language that has no such sentence."""
    return _LANGUAGES.get(primary_of(language), _ENGLISH).budget


def hand_over(language: str) -> str:
    """A person takes over; in English for a language that has no such sentence."""
    return _LANGUAGES.get(primary_of(language), _ENGLISH).hand_over


def for_writing(profile: AgentProfile) -> AgentProfile:
    """The agent as it answers messages. One in a language without sentences here keeps its own."""
    written = _LANGUAGES.get(primary_of(profile.language))
    greeting = profile.greeting
    changes: dict[str, object] = {"transfer_number": _ANY_NUMBER}
    if written is not None:
        greeting = _readable(greeting, written) or greeting
        goodbye = (with_business(written.goodbye, profile.business),)
        changes |= {
            "phrases": _phrases(profile, written),
            "questions": tuple(_question(each, profile, written) for each in profile.questions),
            "closing": _readable(profile.closing, written) or goodbye,
        }
    return profile.model_copy(update={**changes, "greeting": _without_question(greeting)})


def _without_question(greeting: tuple[str, ...]) -> tuple[str, ...]:
    """The greeting without its closing question ("How can I help?"): in writing the answer follows
    in the same message. A greeting that is nothing but one sentence stays."""
    sentences = [part for text in greeting for part in _SENTENCE_END.split(text)]
    while len(sentences) > 1 and sentences[-1].rstrip().endswith(("?", "؟")):
        del sentences[-1]
    return tuple(sentences)


def _phrases(profile: AgentProfile, written: _Written) -> PhraseTable:
    """The file's own phrases where it has some, except those that promise a call."""
    spoken = profile.phrases
    defaults = with_business(default_phrases(profile.language), profile.business)
    changes: dict[str, object] = {"transfer": written.hand_over, "no_person": written.no_person}
    if list(spoken.not_understood) == list(defaults.get("not_understood", ())):
        changes["not_understood"] = written.not_understood
    if spoken.robot == defaults.get("robot"):
        changes["robot"] = with_business(written.robot, profile.business)
    if spoken.goodbye == defaults.get("goodbye") or written.spoken_only.search(spoken.goodbye):
        changes["goodbye"] = written.goodbye
    return spoken.model_copy(update=changes)


def _question(question: Question, profile: AgentProfile, written: _Written) -> Question:
    """Asked back in words that can be read, with what can be answered."""
    built_in = message_taking(profile.language).get("questions", ())
    ask = _readable(question.ask, written) or question.ask
    if any(list(ask) == [other["ask"]] for other in built_in[:1]):
        ask = (written.about,)
    retry = [written.not_understood[0], ask[-1]]
    options = _options(question, profile)
    if options:
        retry.append(written.options.replace("{options}", ", ".join(options)))
    return question.model_copy(
        update={
            "ask": ask,
            "confirm": _readable(question.confirm, written),
            "retry": (" ".join(retry),),
        }
    )


def _options(question: Question, profile: AgentProfile) -> tuple[str, ...]:
    """What can be answered, a few of it; nothing where anything can."""
    if question.accept == "anything":
        return ()
    if question.accept == "number" and question.expect:
        return question.expect[:2]
    lexicon = lexicon_of(profile.language)
    polar = {"yes": lexicon.yes[:1], "no": lexicon.no[:1]}
    named = [
        "".join(polar[answer.means]) if answer.means else answer.spoken or answer.value
        for answer in question.answers
    ]
    return tuple(filter(None, named)) if len(named) <= OPTIONS else ()


def _readable(sentences: tuple[str, ...], written: _Written) -> tuple[str, ...]:
    return tuple(each for each in sentences if not written.spoken_only.search(each))
