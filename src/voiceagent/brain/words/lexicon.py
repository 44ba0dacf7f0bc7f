"""The small words of a language, as data.

In goes a BCP 47 tag; out comes the lexicon of its language: words for yes and
no, negations, fillers, numbers, ways to ask for a repetition. Nothing here
decides anything: `answers.py`, `asides.py` and `numerals.py` do. Single words
are kept as `spelling.py` spells them; phrases as people write them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from voiceagent.brain.words.spelling import spell


def _words(text: str) -> frozenset[str]:
    return frozenset(map(spell, text.split()))


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


def _numbered(text: str, values: range) -> dict[str, int]:
    """`one two|deux` with the values 1, 2: spellings of the same number stand side by side."""
    return {
        spell(spelling): value
        for value, spellings in zip(values, text.split(), strict=True)
        for spelling in spellings.split("|")
    }


@dataclass(frozen=True, slots=True)
class NumberWords:
    """How a language says numbers."""

    values: Mapping[str, int] = field(default_factory=dict)
    scales: Mapping[str, int] = field(default_factory=dict)
    """Thousand and up: multiply what stands before them."""
    hundreds: frozenset[str] = frozenset()
    half: frozenset[str] = frozenset()
    article: frozenset[str] = frozenset()
    joiner: frozenset[str] = frozenset()
    point: frozenset[str] = frozenset()
    million: str = ""
    """How a round million is written to be spoken."""
    one_million: str = ""
    to: str = "-"
    """Between the ends of a range, to be spoken."""
    ten_follows_unit: bool = False
    """Teens are two words, the unit first (Hebrew)."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What one language brings to understanding an answer."""

    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    """ "I do not know": neither yes nor no, though its words may look like one."""
    repeat: tuple[str, ...] = ()
    """Anywhere in what was said, asks for the question again."""
    repeat_alone: tuple[str, ...] = ()
    """Asks for the question again only when nothing else was said."""
    wait: tuple[str, ...] = ()
    goodbye: tuple[str, ...] = ()
    thanks: tuple[str, ...] = ()
    person: tuple[str, ...] = ()
    """Anywhere in what was said, asks for a person."""
    robot: tuple[str, ...] = ()
    """Anywhere, asks whether this is a machine."""
    other_language: tuple[str, ...] = ()
    """Anywhere, asks for another language."""
    back_channel: tuple[str, ...] = ()
    """ "I am listening", said while the agent speaks: no interruption."""
    command: tuple[str, ...] = ()
    """Always interrupt the agent, however short."""
    fillers: frozenset[str] = frozenset()
    negations: frozenset[str] = frozenset()
    """Turn what follows them in the same clause."""
    comparatives: frozenset[str] = frozenset()
    """After a negation these make a limit of it: "not more than two million"."""
    exceptions: frozenset[str] = frozenset()
    """Before a "but" these turn what follows: "anything but an office"."""
    pronouns: frozenset[str] = frozenset()
    """A new subject ends the reach of a negation: "no, I want to rent"."""
    opinions: frozenset[str] = frozenset()
    """After these it does not: "I don't think I want to"."""
    but: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    """Join alternatives and let a negation reach over them: "not a house or a flat"."""
    until: frozenset[str] = frozenset()
    """Join the two ends of a range."""
    corrections: frozenset[str] = frozenset()
    """Between two answers: the later one counts."""
    unimportant: frozenset[str] = frozenset()
    """Carry no answer by themselves."""
    prefixes: str = ""
    """Letters that Hebrew writes onto the next word; callers add them to an answer."""
    prepositions: str = ""
    """Those of them that callers leave away. Not the article: "היום" is not "יום"."""
    conjunctions: str = ""
    """Those of them that may stand before a yes, a no or a negation."""
    endings: tuple[str, ...] = ()
    """Endings that make no difference to an answer."""
    numbers: NumberWords = field(default_factory=NumberWords)


ENGLISH: Final = Lexicon(
    yes=_phrases(
        "yes|yes please|yeah|yep|yup|sure|of course|right|correct|exactly|absolutely|definitely"
        "|certainly|okay|ok|fine|perfect|great|sounds good|that works|i do|it is|all right|alright"
        "|go ahead|please do|no problem|not a problem|why not|i don't mind|true"
    ),
    no=_phrases(
        "no|no thank you|nope|nah|no thanks|not really|not at all|not quite|of course not"
        "|absolutely not|definitely not|certainly not|i don't|i do not|wrong|incorrect|never"
    ),
    unsure=_phrases(
        "i don't know|don't know|i do not know|no idea|not sure|i'm not certain|not certain"
        "|i haven't decided|not decided|hard to say|it doesn't matter|doesn't matter"
        "|i don't care|skip|i can't say|i'd rather not say|no preference"
    ),
    repeat=_phrases(
        "repeat that|repeat the question|say that again|say it again|come again|once more"
        "|what did you say|what was that|what was the question|didn't hear|did not hear"
        "|can't hear you|didn't catch|didn't understand|don't understand|pardon me|beg your pardon"
        "|can you repeat|could you repeat|please repeat|one more time"
    ),
    repeat_alone=_phrases("what|sorry|pardon|again|repeat|excuse me|hello|hi|are you there|huh"),
    wait=_phrases(
        "wait|hold on|hang on|one moment|just a moment|one second|just a second|one minute"
        "|just a minute|stop|give me a second|give me a moment|let me think|let me see"
    ),
    goodbye=_phrases("goodbye|bye|bye bye|good bye|have a nice day|see you|i have to go"),
    thanks=_phrases("thanks|thank you|okay|ok"),
    person=_phrases(
        "to a person|with a person|a person please|need a person|want a person|get me a person"
        "|have a person|real person|a human|human being|a representative|speak to someone"
        "|talk to someone|speak with someone|talk with someone|speak to somebody|talk to somebody"
        "|the operator|an operator|the manager|a manager|customer service"
    ),
    robot=_phrases(
        "are you a robot|are you a machine|are you a computer|are you a bot|are you an ai"
        "|are you real|are you human|are you a human|are you a person|are you a real person"
        "|is this a robot|is this a machine|is this a recording|is this a real person"
        "|talking to a robot|talking to a machine|talking to a computer|speaking to a machine"
    ),
    other_language=_phrases(
        "speak hebrew|in hebrew|speak russian|in russian|speak arabic|in arabic|speak french"
        "|in french|speak spanish|in spanish|another language"
    ),
    back_channel=_phrases("mm-hm|mhm|mm|uh-huh|okay|ok|right|yeah|i see|aha|sure"),
    command=_phrases("stop|wait|hold on|hang on|one moment|excuse me"),
    fillers=_words("um umm uh uhm er erm hmm hm mm ah oh eh well"),
    negations=_words(
        "not dont doesnt didnt isnt arent wasnt wont wouldnt cant cannot couldnt shouldnt havent"
        " hasnt never without neither nor except besides"
    ),
    comparatives=_words("more less over under above below"),
    exceptions=_words("anything anywhere everything everywhere all any nothing"),
    pronouns=_words("i im id ill ive we were wed weve you he she they"),
    opinions=_words("think believe know sure certain say if"),
    but=_words("but"),
    either=_words("or and nor"),
    until=_words("to or and till until through"),
    corrections=_words("no nope wait actually sorry mean meant rather instead correction"),
    unimportant=_words(
        "i im id ill ive we were wed weve my our us me you your it its is are am be a an the this"
        " that to of in on at for with and or so do can could would should will want like love"
        " need looking look interested please thanks thank some something somewhere about maybe"
        " perhaps just yes yeah think have has there"
    ),
    endings=("s", "ing"),
    numbers=NumberWords(
        values=_numbered(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
            " fifteen sixteen seventeen eighteen nineteen twenty",
            range(21),
        )
        | _numbered("thirty forty|fourty fifty sixty seventy eighty ninety", range(30, 100, 10)),
        scales={
            "thousand": 1000,
            "k": 1000,
            "million": 1_000_000,
            "m": 1_000_000,
            "millions": 1_000_000,
        },
        hundreds=_words("hundred"),
        half=_words("half"),
        article=_words("a an"),
        joiner=_words("and"),
        point=_words("point"),
        million="million",
        one_million="one million",
        to="to",
    ),
)

HEBREW: Final = Lexicon(
    yes=_phrases(
        "כן|כן בבקשה|בטח|ברור|נכון|מדויק|בדיוק|בהחלט|כמובן|בוודאי|אוקיי|אוקי|בסדר|בסדר גמור|סבבה"
        "|מתאים|מצוין|מעולה|יאללה|אין בעיה|למה לא|לא אכפת לי|אפשר"
    ),
    no=_phrases(
        "לא|ממש לא|לא תודה|בכלל לא|כלל לא|בטח שלא|ברור שלא|כמובן שלא|לא ממש|לא בדיוק|טעות|שלילי"
        "|אף פעם לא|אי אפשר"
    ),
    unsure=_phrases(
        "לא יודע|לא יודעת|לא יודעים|לא בטוח|לא בטוחה|לא בטוחים|אין לי מושג|אין מושג|לא החלטתי"
        "|לא החלטנו|עוד לא החלטתי|לא משנה|לא משנה לי|לא חשוב|קשה להגיד|קשה לומר|דלג|דלגי|אין העדפה"
    ),
    repeat=_phrases(
        "לא שמעתי|לא שמענו|לא הבנתי|לא הבנו|עוד פעם|עוד הפעם|מה אמרת|מה אמרתם|מה השאלה"
        "|מה הייתה השאלה|אפשר לחזור|תחזור על זה|תחזרי על זה|תחזרו על זה|לחזור על השאלה"
        "|לא שומע|לא שומעת"
        "|תגיד שוב|תגידי שוב|תגידו שוב"
    ),
    repeat_alone=_phrases("מה|שוב|סליחה|הלו|שלום|היי|תחזור|תחזרי|תחזרו|אה מה|מה זה"),
    wait=_phrases(
        "רגע|רק רגע|שנייה|רק שנייה|דקה|רק דקה|חכה|חכי|חכו|עצור|עצרי|די"
        "|תן לי רגע|תני לי רגע|תנו לי רגע|אני חושב|אני חושבת"
    ),
    goodbye=_phrases("להתראות|ביי|ביי ביי|יום טוב|יום נעים|שיהיה יום טוב|חייב לסיים|חייבת לסיים"),
    thanks=_phrases("תודה|תודה רבה|אוקיי|בסדר"),
    person=_phrases(
        "נציג|נציגה|נציג אנושי|עם בן אדם|בן אדם בבקשה|רוצה בן אדם|צריך בן אדם|צריכה בן אדם"
        "|תן לי בן אדם|אדם אמיתי|לדבר עם מישהו|לדבר עם מישהי|עם מישהו|מענה אנושי"
        "|המנהל|המנהלת|לדבר עם מנהל|שירות לקוחות"
    ),
    robot=_phrases(
        "אתה רובוט|את רובוט|אתם רובוט|זה רובוט|מדבר עם רובוט|מדברת עם רובוט|אתה מכונה|זו מכונה"
        "|אתה מחשב|את מחשב|זה מחשב|זו הקלטה|זאת הקלטה|אתה אמיתי|את אמיתית|אתה בן אדם|את בן אדם"
        "|אתה אנושי|את אנושית|בינה מלאכותית"
    ),
    other_language=_phrases(
        "באנגלית|אנגלית בבקשה|מדבר אנגלית|מדברים אנגלית|ברוסית|רוסית בבקשה|מדבר רוסית|מדברים רוסית"
        "|בערבית|ערבית בבקשה|מדבר ערבית|מדברים ערבית|בצרפתית|בספרדית|באמהרית|שפה אחרת"
    ),
    back_channel=_phrases("כן|אהה|אהמ|מממ|אוקיי|אוקי|בסדר|הבנתי|נכון|טוב|סבבה"),
    command=_phrases("רגע|די|עצור|עצרי|שנייה|חכה|חכי|סליחה"),
    fillers=_words("אה אהה אהמ אמ אממ המ הממ מממ ממ אז נו כאילו יעני אוי"),
    negations=_words("לא אל אין בלי ללא איני אינני חוץ מלבד למעט"),
    comparatives=_words("יותר פחות מעל מתחת"),
    pronouns=_words("אני אנחנו אנו אתה את אתם הוא היא הם"),
    opinions=_words("חושב חושבת חושבים בטוח בטוחה בטוחים יודע יודעת אם"),
    but=_words("אבל אלא רק"),
    either=_words("או ו גם"),
    until=_words("עד או ל"),
    corrections=_words("לא בעצם סליחה התכוונתי התכוונו רגע במקום תיקון טעות"),
    unimportant=_words(
        "אני אנחנו אנו את אתה אתם של שלי שלנו עם על זה זאת זו רוצה רוצים רוצות"
        " מעוניין מעוניינת מעוניינים מחפש מחפשת מחפשים צריך צריכה צריכים בבקשה תודה"
        " יש לי לנו אפשר היה הייתי היינו משהו איזה"
        " איזשהו אולי בערך כמו פה שם כן או גם מדובר בקשר אזור באזור"
    ),
    prefixes="הבלומש",
    prepositions="בלו",
    conjunctions="וש",
    numbers=NumberWords(
        values=_numbered(
            "אפס אחת|אחד שתיים|שניים|שתי|שני|שתים|שנים שלוש|שלושה|שלושת ארבע|ארבעה|ארבעת"
            " חמש|חמישה|חמישת|חמשת שש|שישה|ששה|ששת|שישת שבע|שבעה|שבעת שמונה|שמונת תשע|תשעה|תשעת"
            " עשר|עשרה|עשרת",
            range(11),
        )
        | _numbered("עשרים שלושים ארבעים חמישים שישים שבעים שמונים תשעים", range(20, 100, 10))
        | {spell("מאה"): 100, spell("מאתיים"): 200, spell("אלפיים"): 2000},
        scales={
            spell(scale): value
            for scale, value in (
                ("אלף", 1000),
                ("אלפים", 1000),
                ("מיליון", 1_000_000),
                ("מיליונים", 1_000_000),
            )
        },
        hundreds=_words("מאות"),
        half=_words("חצי"),
        joiner=_words("ו"),
        point=_words("נקודה"),
        million="מיליון",
        one_million="מיליון",
        to="עד",
        ten_follows_unit=True,
    ),
)

_OTHER: Final = Lexicon()


def lexicon_of(language: str) -> Lexicon:
    """The lexicon of a BCP 47 tag; an empty one for a language that has none here.

    Google's code `iw` is Hebrew as well.
    """
    primary = language.lower().split("-")[0]
    if primary == "en":
        return ENGLISH
    if primary in {"he", "iw"}:
        return HEBREW
    return _OTHER
