"""Agent files: what is read, what is refused, and how a fault is told."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from voiceagent.brain.agent.file import load_agent, read_agent
from voiceagent.brain.agent.profile import AgentProfile, AppointmentTable, PhraseTable
from voiceagent.brain.agent.wording import default_phrases
from voiceagent.brain.ports import CallerTurn
from voiceagent.brain.script.brain import DialogueState, Script
from voiceagent.errors import AgentFileError

_HEAD = """
business = "Corner Shop"
language = "en-GB"
greeting = "Hello, this is {business}. How are you?"
closing = "Thank you. Goodbye."
"""

_SOUND = (
    _HEAD
    + """
[[questions]]
id = "first"
ask = "Tea or coffee?"
save_as = "drink"
answers = [
  { value = "tea", say = "some tea", digit = "1", next = "sugar" },
  { value = "coffee", say = ["black coffee", "coffee"], digit = "2" },
]

[[questions]]
id = "milk"
ask = "With milk?"
answers = [{ value = "yes", means = "yes" }, { value = "no", means = "no" }]

[[questions]]
id = "sugar"
ask = "How much sugar?"
accept = "number"
at_most = 9
save_as = "sugar"
confirm = "{sugar}, in your {drink}."
"""
)


def _faults(toml: str) -> list[str]:
    with pytest.raises(AgentFileError) as caught:
        read_agent(toml, "shop.toml", "en-US")
    return str(caught.value).splitlines()


def test_a_sound_file_is_read_whole() -> None:
    profile = read_agent(_SOUND, "shop.toml", "he-IL")
    assert profile.language == "en-GB"
    assert profile.greeting == ("Hello, this is Corner Shop.", "How are you?")
    first, milk, sugar = profile.questions
    assert profile.target(first, first.answer("tea")) == "sugar"
    assert profile.target(first, first.answer("coffee")) == "milk"
    assert profile.target(milk, None) == "sugar"
    assert profile.target(sugar, None) == "closing"
    assert sugar.at_most == Decimal(9)


def test_the_language_of_the_service_serves_a_file_without_one() -> None:
    profile = read_agent(_SOUND.replace('language = "en-GB"', ""), "shop.toml", "en-US")
    assert profile.language == "en-US"


def test_phrases_have_defaults_and_can_be_changed_one_by_one() -> None:
    profile = read_agent(_SOUND + '[phrases]\ngoodbye = "Cheers."\n', "shop.toml", "en-US")
    assert profile.fixed_phrases.goodbye == "Cheers."
    assert len(profile.fixed_phrases.reprompts) == 2
    assert "Corner Shop" in profile.fixed_phrases.busy


def test_a_business_adds_its_own_words() -> None:
    profile = read_agent(_SOUND + '[words]\ncommand = ["halt"]\n', "shop.toml", "en-US")
    assert profile.words.command == ("halt",)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            'next = "sugar"',
            'next = "foo"',
            'questions.first.answers.tea.next: no such question: "foo"',
        ),
        ('id = "milk"', 'id = "sugar"', 'questions.sugar.id: two questions are called "sugar"'),
        ('id = "milk"', 'id = "closing"', 'questions.closing.id: "closing" is a reserved name'),
        (
            'digit = "2" },\n]',
            'next = "sugar" },\n]\non_failure = "sugar"',
            "questions.milk: no answer leads to this question",
        ),
        (
            "at_most = 9",
            'at_most = 9\nnext = "first"',
            'questions.sugar.next: leads back to "first": a caller would go in a circle',
        ),
        (
            "at_most = 9",
            'on_failure = "sugar"',
            'questions.sugar.on_failure: leads back to "sugar": a caller would go in a circle',
        ),
        (
            '"black coffee"',
            '"Some tea!"',
            'questions.first.answers.coffee.say: "Some tea!" is said for "tea" as well',
        ),
        ('digit = "2"', 'digit = "1"', "questions.first.answers: two answers have the digit 1"),
        (
            'value = "coffee"',
            'value = "tea"',
            'questions.first.answers.tea.value: two answers have the value "tea"',
        ),
        (
            'means = "no"',
            'means = "yes"',
            'questions.milk.answers: two answers mean "yes"',
        ),
        ('say = "some tea", ', "", "questions.first.answers.tea.say: missing"),
        (
            '"some tea"',
            '"um"',
            'questions.first.answers.tea.say: "um" has no word to listen for',
        ),
        ("{drink}", "{cup}", 'questions.sugar.confirm: nothing is saved as "cup"'),
        (
            'ask = "How much sugar?"',
            'ask = "How much in your {drink}?"',
            "questions.sugar.ask: needs a sentence without blanks: an answer may be missing",
        ),
        ('accept = "number"', 'accept = "colour"', "questions.sugar.accept: "),
        ('accept = "number"', "", 'questions.sugar.at_most: only for accept = "number"'),
        ("at_most = 9", "at_most = 9\nat_least = 10", "questions.sugar.at_least: larger than"),
        ("at_most = 9", "lead_ins = ['well']", "questions.sugar.lead_ins: only for"),
        (
            "at_most = 9",
            'retry = ["Pardon?", "Pardon?"]',
            'questions.sugar.retry: says "Pardon?" twice in a row',
        ),
        (
            "at_most = 9",
            'only_if = { drink = ["cocoa"] }',
            'questions.sugar.only_if.drink: no answer has the value "cocoa"',
        ),
        (
            "at_most = 9",
            'only_if = { meal = ["lunch"] }',
            'questions.sugar.only_if.meal: nothing is saved as "meal"',
        ),
        ("at_most = 9", "at_moist = 9", "questions.sugar.at_moist: no such key"),
        ('business = "Corner Shop"', "", "business: missing"),
        ('language = "en-GB"', 'language = "fr-FR"', "phrases.reprompts: missing"),
        ('language = "en-GB"', 'transfer_number = "03-555"', "transfer_number: not allowed here"),
        ('id = "milk"', "", "questions.1.id: missing"),
        ('digit = "2"', 'digit = "12"', "questions.first.answers.coffee.digit: not allowed here"),
    ],
)
def test_a_fault_names_file_and_key(before: str, after: str, fault: str) -> None:
    assert _SOUND.count(before) == 1
    faults = _faults(_SOUND.replace(before, after))
    assert any(line.startswith(f"shop.toml: {fault}") for line in faults), faults


_THINKING = """
business = "Corner Shop"
language = "en-GB"
persona = "You are the voice of {business}."
greeting = "Hello, this is {business}."
"""

_HOURS = """
[hours]
sunday = "09:00-18:00"
monday = "16:00-19:00, 09:00-13:00"
tuesday = ["09:00-18:00"]
friday = "08:30-12:30"
saturday = "closed"
closed_dates = ["2026-09-12", 2026-09-13]
"""


def test_a_file_may_tell_who_the_agent_is_and_what_it_knows() -> None:
    profile = read_agent(
        _THINKING
        + 'facts = ["Tea costs 10 shekels.", "{business} has a garden."]\n'
        + 'prompt = "Recommend tea."\nlanguages = ["he-IL", "ru"]\ntransfer_when = "always"\n',
        "shop.toml",
        "en-US",
    )
    assert profile.persona == "You are the voice of Corner Shop."
    assert profile.facts == ("Tea costs 10 shekels.", "Corner Shop has a garden.")
    assert profile.prompt == "Recommend tea."
    assert profile.languages == ("he-IL", "ru")
    assert profile.transfer_when == "always"


@pytest.mark.parametrize("key", ["persona", "prompt"])
@pytest.mark.parametrize("language", ["en-GB", "he-IL", "iw-IL", "ru-RU", "ar-IL"])
def test_an_agent_without_questions_takes_a_message(key: str, language: str) -> None:
    toml = _THINKING.replace("persona", key).replace("en-GB", language)
    profile = read_agent(toml, "shop.toml", "en-US")
    assert [question.save_as for question in profile.questions] == ["message", "name", "phone"]
    script = Script(profile)
    state, _ = script.opening(DialogueState(), introduce=True)
    for said in ("tea", "Dana", "050"):
        assert not state.ended
        state, _ = script.answer(state, CallerTurn(said))
    assert state.ended


def test_a_closing_of_its_own_is_kept() -> None:
    toml = _THINKING + 'closing = "Cheers."\n'
    assert read_agent(toml, "shop.toml", "en-US").closing == ("Cheers.",)


def test_without_a_persona_questions_are_needed() -> None:
    assert "shop.toml: questions: missing" in _faults(_HEAD)


def test_a_language_without_a_script_needs_questions() -> None:
    assert "shop.toml: questions: missing" in _faults(_THINKING.replace("en-GB", "fr-FR"))


def test_the_hours_of_a_week() -> None:
    hours = read_agent(_THINKING + _HOURS, "shop.toml", "en-US").opening_hours
    assert hours is not None
    sunday = date(2026, 11, 29)
    told = [hours.told(sunday + timedelta(days=ahead)).split(": ")[1] for ahead in range(7)]
    assert told == [
        "09:00-18:00",
        "09:00-13:00, 16:00-19:00",
        "09:00-18:00",
        "closed",
        "closed",
        "08:30-12:30",
        "closed",
    ]
    assert hours.closed_dates == {date(2026, 9, 12), date(2026, 9, 13)}
    assert str(hours.zone) == "Asia/Jerusalem"


def test_without_hours_nobody_knows_when_it_is_open() -> None:
    profile = read_agent(_THINKING + '[hours]\ntimezone = "Europe/London"\n', "a.toml", "en-US")
    assert profile.opening_hours is None
    assert str(profile.zone) == "Europe/London"
    assert read_agent(_SOUND, "shop.toml", "en-US").opening_hours is None


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            '"08:30-12:30"',
            '"8-12"',
            'hours.friday: "8-12" is not a span of time such as 09:00-18:00',
        ),
        ('"08:30-12:30"', '"12:30-08:30"', 'hours.friday: "12:30-08:30" does not end after it'),
        ('"08:30-12:30"', '"09:00-12:00, 11:00-13:00"', "hours.friday: 09:00-12:00 and 11:00"),
        ('"08:30-12:30"', "9", 'hours.friday: must be "closed" or spans of time'),
        ('"08:30-12:30"', "[]", 'hours.friday: must be "closed" or spans of time'),
        ('"2026-09-12"', '"12.9.2026"', "hours.closed_dates.0: must be a date such as 2026-09-12"),
        ('"2026-09-12"', "20260912", "hours.closed_dates.0: must be a date such as 2026-09-12"),
        ("friday", "freitag", "hours.freitag: no such key"),
        ("[hours]", '[hours]\ntimezone = "Mars/Base"', 'hours.timezone: "Mars/Base" is not a time'),
        ("[hours]", '[hours]\ntimezone = "../etc"', 'hours.timezone: "../etc" is not a time zone'),
        ("[hours]", "[appointments]\nminutes = 2\n[hours]", "appointments.minutes: Input should"),
        ("[hours]", "[appointments]\nnotice_hours = -1\n[hours]", "appointments.notice_hours: "),
        ("[hours]", "[appointments]\ndays_ahead = 0\n[hours]", "appointments.days_ahead: "),
        ("[hours]", 'languages = ["english!"]\n[hours]', "languages.0: not allowed here"),
        ("[hours]", 'transfer_when = "never"\n[hours]', "transfer_when: Input should be"),
        ("[hours]", "facts = [5]\n[hours]", "facts.0: Input should be a valid string"),
        ("[hours]", f'prompt = "{"x" * 8001}"\n[hours]', "prompt: String should have at most"),
        ("[hours]", '[phrases]\ntakeover = "Hi {name}."\n[hours]', "phrases.takeover: nothing is"),
    ],
)
def test_a_fault_of_the_new_parts_names_file_and_key(before: str, after: str, fault: str) -> None:
    toml = _THINKING + _HOURS
    assert toml.count(before) == 1
    faults = _faults(toml.replace(before, after))
    assert any(line.startswith(f"shop.toml: {fault}") for line in faults), faults
    assert len(faults) == 1


def test_a_week_without_an_open_day_is_a_fault() -> None:
    faults = _faults(_THINKING + '[hours]\nmonday = "closed"\n[appointments]\n')
    assert faults == [
        "shop.toml: hours: no day has opening hours",
        "shop.toml: appointments: only within opening hours: [hours] has none",
    ]


@pytest.mark.parametrize("language", ["ar", "en", "he", "ru"])
def test_a_language_with_defaults_has_all_of_them(language: str) -> None:
    assert set(default_phrases(language)) == set(PhraseTable.model_fields)
    agent = read_agent(_THINKING.replace("en-GB", language), "shop.toml", "en-US")
    assert "{" not in str(agent.phrases)


def test_an_old_file_in_another_language_is_as_sound_as_before() -> None:
    """It has all phrases that there were, and none of the new ones."""
    phrases = """
[phrases]
reprompts = ["Vous êtes là ?", "Je ne vous entends pas."]
goodbye = "Au revoir."
apology = "Pardon, une erreur est survenue."
busy = "Toutes nos lignes sont occupées."
not_understood = ["Pardon ?", "Je n'ai pas compris."]
again = ["Bien sûr.", "Encore une fois."]
wait = "Prenez votre temps."
skip = "Très bien."
move_on = "Continuons."
noted = "C'est noté."
"""
    profile = read_agent(
        _SOUND.replace("en-GB", "fr-FR")
        .replace('means = "yes"', 'say = "oui"')
        .replace('means = "no"', 'say = "non"')
        + phrases,
        "shop.toml",
        "en-US",
    )
    assert profile.phrases.one_moment == "Prenez votre temps."
    assert profile.phrases.takeover == "Pardon, une erreur est survenue."
    assert profile.phrases.only_languages == "Pardon ?"
    assert profile.phrases.voicemail == "Au revoir."
    assert "computer program" in profile.phrases.robot


def test_after_a_change_of_language_the_phrases_are_of_that_language() -> None:
    profile = read_agent(_SOUND, "shop.toml", "en-US")
    assert profile.fixed_phrases_in("en-US") == profile.fixed_phrases
    assert profile.fixed_phrases_in("fr-FR") == profile.fixed_phrases
    hebrew = profile.fixed_phrases_in("he-IL")
    assert hebrew.goodbye == "תודה שהתקשרתם, להתראות."
    assert "Corner Shop" in hebrew.busy
    assert profile.phrases_in("ru-RU").one_moment == "Одну минуту, пожалуйста."


def test_every_fault_is_told_at_once() -> None:
    broken = _SOUND.replace('digit = "2"', 'digit = "1"').replace("{drink}", "{cup}")
    assert len(_faults(broken)) == 2


def test_what_is_not_toml_is_said_so() -> None:
    (fault,) = _faults("business = \n")
    assert fault.startswith("shop.toml: not TOML: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_agent(tmp_path / "nowhere.toml", "en-US")


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes("business = 'קו הבית'".encode("cp1255"))
    with pytest.raises(AgentFileError, match="not UTF-8 text"):
        load_agent(path, "he-IL")


def test_a_file_from_disk_is_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(_SOUND, encoding="utf-8")
    assert load_agent(path, "he-IL").business == "Corner Shop"


@pytest.mark.parametrize(
    ("language", "spoken"),
    [("en-US", "en-US"), ("he-IL", "he-IL"), ("iw-IL", "he-IL"), ("fr-FR", "en-US")],
)
def test_an_agent_is_bundled(language: str, spoken: str) -> None:
    assert load_agent(None, language).language == spoken


def test_the_examples_of_the_documentation_are_sound() -> None:
    text = (Path(__file__).parents[3] / "docs" / "agent-file.md").read_text(encoding="utf-8")
    examples = [part.split("```")[0] for part in text.split("```toml\n")[1:]]
    asking, thinking = [read_agent(example, "example", "en-US") for example in examples]
    assert asking.business == thinking.business == "Corner Dental Clinic"
    assert thinking.appointments is not None
    assert [question.id for question in thinking.questions] == ["message", "name", "phone"]


def test_every_key_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[3] / "docs" / "agent-file.md").read_text(encoding="utf-8")
    for table in (AgentProfile, PhraseTable, AppointmentTable):
        for key in table.model_fields:
            assert f"`{key}`" in text or f"`[{key}]`" in text, key
