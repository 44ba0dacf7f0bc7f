"""What a business wants to know: the questions of its file without the script's own ways."""

from voiceagent.brain.agent.file import load_agent, read_agent
from voiceagent.brain.agent.wanted import Wanted, wanted_of

_SHOP = """
business = "Shop"
language = "en-GB"
greeting = "Hello."
closing = "Goodbye."

[[questions]]
id = "drink"
ask = "Tea or coffee?"
save_as = "drink"
answers = [{ value = "tea", say = "some tea" }, { value = "coffee", say = "black coffee" }]

[[questions]]
id = "sugar"
ask = ["Your {drink}, I see.", "How much sugar?"]
accept = "number"
save_as = "sugar"
only_if = { drink = ["tea", "coffee"] }

[[questions]]
id = "chat"
ask = "How are you?"
accept = "anything"

[[questions]]
id = "right"
ask = ["A {drink} then.", "Is that right?"]
save_as = "right"
answers = [
  { value = "yes", means = "yes", next = "closing" },
  { value = "no", means = "no", next = "mend" },
]
on_failure = "closing"

[[questions]]
id = "mend"
ask = "What is wrong?"
accept = "anything"
save_as = "mend"
"""


def test_what_is_asked_only_to_confirm_is_not_wanted_nor_what_follows_from_it() -> None:
    assert wanted_of(read_agent(_SHOP, "shop.toml", "en-GB")) == (
        Wanted("drink", "Tea or coffee?", "", "one of: tea, coffee"),
        Wanted("sugar", "How much sugar?", "drink is tea or coffee", "a number"),
    )


def test_the_bundled_agents_want_the_same() -> None:
    fields = [[w.field for w in wanted_of(load_agent(None, tag))] for tag in ("he-IL", "en-US")]
    assert fields[0] == fields[1]
    assert list(dict.fromkeys(fields[0])) == [
        "intent",
        "property",
        "rooms",
        "area",
        "budget",
        "when",
        "name",
    ]
