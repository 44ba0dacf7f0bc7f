"""Values of an agent file are changed where they stand, and nothing else is."""

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.agent.rewrite import CannotRewrite, rewritten

FILE = """\
# The clinic.
business = "Corner Clinic"   # its name
greeting = [
  "Hello.",  # first [
  "How can I help?",
]
prompt = \"\"\"
Be [kind] = always.
# not a comment
\"\"\"

[[questions]]
id = "name"
ask = "Your name?"  # politely
accept = "anything"

  [[questions.answers]]
  value = "x"
  ask = "not this one"

[[questions]]
id = "day"
ask = ['Which day?']
accept = "anything"

[phrases]
greeting = "of another table"
"""


def test_nothing_changes_when_nothing_is_to_be_changed() -> None:
    assert rewritten(FILE, {}, []) == FILE
    same = {"business": "Corner Clinic", "greeting": ["Hello.", "How can I help?"]}
    assert rewritten(FILE, same, [{"ask": "Your name?"}, {"ask": ["Which day?"]}]) == FILE


def test_only_the_value_is_exchanged() -> None:
    changed = rewritten(FILE, {"business": "Other"}, [{"ask": "Who are you?"}])
    assert changed == FILE.replace("Corner Clinic", "Other").replace("Your name?", "Who are you?")


def test_a_list_is_exchanged_whole() -> None:
    changed = rewritten(FILE, {"greeting": ["One.", "Two."]}, [])
    assert tomllib.loads(changed) == tomllib.loads(FILE) | {"greeting": ["One.", "Two."]}
    assert changed.startswith("# The clinic.\n")
    assert "# its name" in changed


def test_a_new_key_stands_above_the_tables() -> None:
    changed = rewritten(FILE, {"persona": "Calm.\nFriendly."}, [{}, {"retry": ["Pardon?"]}])
    raw = tomllib.loads(changed)
    assert raw["persona"] == "Calm.\nFriendly."
    assert raw["questions"][1]["retry"] == ["Pardon?"]


def test_an_empty_value_takes_the_key_out() -> None:
    raw = tomllib.loads(rewritten(FILE, {"prompt": "", "greeting": ()}, []))
    assert "prompt" not in raw
    assert "greeting" not in raw


def test_a_file_without_anything_above_its_tables() -> None:
    text = '[phrases]\nwait = "Wait."\n'
    assert tomllib.loads(rewritten(text, {"business": "B"}, [])) == {
        "business": "B",
        "phrases": {"wait": "Wait."},
    }
    assert rewritten("", {"business": "B"}, []) == 'business = "B"\n'


@pytest.mark.parametrize(
    "text",
    [
        'questions = [{ id = "a", ask = "A?" }]',
        '"ask" = 1\n[["questions"]]\nid = "a"\nask = "A?"',
        '[[questions]]\nid = "a"\n"ask" = "A?"',
    ],
    ids=["in one line", "quoted header", "quoted key"],
)
def test_what_it_does_not_find_its_way_through_it_leaves_alone(text: str) -> None:
    with pytest.raises(CannotRewrite):
        rewritten(text, {}, [{"ask": "B?"}])


def test_more_questions_than_there_are() -> None:
    with pytest.raises(CannotRewrite):
        rewritten(FILE, {}, [{}, {}, {"ask": "?"}])


def test_no_toml() -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        rewritten("business = ", {}, [])


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1)


@given(persona=TEXTS, facts=st.lists(TEXTS, min_size=1, max_size=3), ask=TEXTS)
def test_whatever_is_written_comes_out_as_it_was_written(
    persona: str, facts: list[str], ask: str
) -> None:
    name = "estate_agent.he.toml"
    bundled = resources.files("voiceagent.brain.agent") / "bundled" / name
    toml = bundled.read_text(encoding="utf-8")
    changed = rewritten(toml, {"persona": persona, "facts": facts}, [{"ask": ask}])
    raw = tomllib.loads(changed)
    assert (raw["persona"], raw["facts"], raw["questions"][0]["ask"]) == (persona, facts, ask)
    again = rewritten(changed, {"persona": "", "facts": ()}, [])
    assert "persona" not in tomllib.loads(again)
