"""The agent as it reads, not as it sounds."""

import pytest

from voiceagent.brain.agent.file import read_agent
from voiceagent.written.wording import file_reply, for_writing, hand_over
from written.agents import SHOP, estate_agent, message_taker, shop


def test_nothing_is_pressed_heard_or_called() -> None:
    agent = for_writing(shop())
    assert agent.closing == ("Thank you, {name}.",)
    assert agent.questions[0].retry == (
        "Sorry, that was not clear to us. Tea or coffee? You can answer, for example: tea, coffee.",
    )
    assert agent.questions[2].retry[0].endswith("for example: yes, no.")
    assert agent.questions[3].retry == ("Sorry, that was not clear to us. What is your name?",)
    assert agent.phrases.not_understood[0] == "Sorry, that was not clear to us."
    assert agent.phrases.robot == "This is an automated assistant of Corner Shop."


@pytest.mark.parametrize("language", ["en-US", "he-IL"])
def test_the_bundled_agents_ask_back_with_what_can_be_answered(language: str) -> None:
    agent = for_writing(estate_agent(language))
    options = {"en-US": "buy, rent, sell", "he-IL": "לקנות, לשכור, למכור"}
    assert options[language] in agent.questions[0].retry[0]
    assert "calling" not in agent.phrases.goodbye
    assert "שהתקשרתם" not in agent.phrases.goodbye


@pytest.mark.parametrize("language", ["en-US", "he-IL", "ru-RU", "ar-IL"])
def test_who_takes_messages_does_not_ask_why_somebody_called(language: str) -> None:
    spoken, written = message_taker(language), for_writing(message_taker(language))
    assert written.closing
    assert all(closing in spoken.closing for closing in written.closing)
    assert len(written.closing) == len(spoken.closing) - 1
    if language != "en-US":
        assert written.questions[0].ask != spoken.questions[0].ask


def test_a_person_can_always_be_asked_for() -> None:
    assert shop().transfer_number == ""
    assert for_writing(shop()).transfer_number
    assert for_writing(shop()).phrases.transfer == hand_over("en-US")


def test_what_a_business_says_itself_stays() -> None:
    own = """
        [phrases]
        robot = "I am Shoppy, a program."
        not_understood = ["Pardon me?", "Excuse me?"]
        goodbye = "Cheers."
    """
    agent = for_writing(
        read_agent(SHOP.replace("[[questions]]", f"{own}\n[[questions]]", 1), "x", "en")
    )
    assert agent.phrases.robot == "I am Shoppy, a program."
    assert agent.phrases.not_understood == ("Pardon me?", "Excuse me?")
    assert agent.phrases.goodbye == "Cheers."


def test_a_language_without_sentences_here_keeps_its_own() -> None:
    phrases = """
        [phrases]
        reprompts = ["Encore là?", "Allô?"]
        goodbye = "Au revoir."
        apology = "Pardon."
        busy = "Occupé."
        not_understood = ["Pardon?", "Comment?"]
        again = ["Bien sûr.", "Oui."]
        wait = "Oui."
        skip = "Bien."
        move_on = "Continuons."
        noted = "Noté."
    """
    text = SHOP.replace("en-US", "fr-FR").replace("[[questions]]", f"{phrases}\n[[questions]]", 1)
    french = read_agent(text, "fr.toml", "fr-FR")
    assert for_writing(french).questions == french.questions
    assert for_writing(french).phrases == french.phrases
    assert file_reply("fr-FR") == file_reply("en-US")


@pytest.mark.parametrize("language", ["en", "he-IL", "iw-IL", "ru", "ar-EG"])
def test_every_sentence_is_in_the_language(language: str) -> None:
    sentences = {file_reply(language), hand_over(language)}
    assert len(sentences) == 2
    assert (file_reply(language) == file_reply("en")) == (language == "en")


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ('"Hello, this is Shop. How can I help?"', ("Hello, this is Shop.",)),
        ('["Hi.", "This is Shop. What is up? How can I help?"]', ("Hi.", "This is Shop.")),
        ('"This is Shop, how can I help?"', ("This is Shop, how can I help?",)),
        ('"How are you? This is Shop."', ("How are you?", "This is Shop.")),
    ],
)
def test_no_question_stands_between_the_greeting_and_the_answer(
    spoken: str, written: tuple[str, ...]
) -> None:
    agent = read_agent(SHOP.replace('"Corner Shop, hello."', spoken), "shop.toml", "en-US")
    assert for_writing(agent).greeting == written
