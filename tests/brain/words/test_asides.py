"""Remarks that are no answers."""

import pytest

from voiceagent.brain.words.asides import Aside, AsideListener

_ENGLISH = AsideListener("en-US", repeat=["run that by me"])
_HEBREW = AsideListener("he-IL")


@pytest.mark.parametrize(
    ("listener", "said", "expected"),
    [
        (_ENGLISH, "What?", Aside.REPEAT),
        (_ENGLISH, "Sorry, could you repeat that?", Aside.REPEAT),
        (_ENGLISH, "run that by me please", Aside.REPEAT),
        (_ENGLISH, "hello? are you there?", Aside.REPEAT),
        (_ENGLISH, "what about Tel Aviv", None),
        (_ENGLISH, "Hold on.", Aside.WAIT),
        (_ENGLISH, "okay wait one moment", Aside.WAIT),
        (_ENGLISH, "I can't wait to move", None),
        (_ENGLISH, "mm-hm", Aside.NOTHING),
        (_ENGLISH, "um, okay", Aside.NOTHING),
        (_ENGLISH, "", Aside.NOTHING),
        (_ENGLISH, "I don't know yet", Aside.UNSURE),
        (_ENGLISH, "I'm not sure", Aside.UNSURE),
        (_ENGLISH, "I don't know, somewhere near the sea with trees", None),
        (_ENGLISH, "okay thank you, goodbye", Aside.GOODBYE),
        (_ENGLISH, "my name is Maya", None),
        (_ENGLISH, "can I talk to a real person please", Aside.PERSON),
        (_ENGLISH, "what does it cost for a person", None),
        (_HEBREW, "כמה זה עולה לבן אדם", None),
        (_HEBREW, "אפשר לדבר עם בן אדם", Aside.PERSON),
        (_ENGLISH, "hold on, are you a real person?", Aside.ROBOT),
        (_ENGLISH, "am I talking to a machine", Aside.ROBOT),
        (_ENGLISH, "sorry, do you speak Russian?", Aside.LANGUAGE),
        (_HEBREW, "אני רוצה לדבר עם נציג אנושי", Aside.PERSON),
        (_HEBREW, "רגע, אתה רובוט?", Aside.ROBOT),
        (_HEBREW, "אפשר בבקשה באנגלית", Aside.LANGUAGE),
        (_HEBREW, "לא שמעתי", Aside.REPEAT),
        (_HEBREW, "שוב", Aside.REPEAT),
        (_HEBREW, "מה?", Aside.REPEAT),
        (_HEBREW, "רגע, שנייה", Aside.WAIT),
        (_HEBREW, "אהה", Aside.NOTHING),
        (_HEBREW, "לא יודעת", Aside.UNSURE),
        (_HEBREW, "תודה רבה, להתראות", Aside.GOODBYE),
        (_HEBREW, "קוראים לי מאיה", None),
        (_HEBREW, "מה שיותר קרוב לים", None),
    ],
)
def test_remark(listener: AsideListener, said: str, expected: Aside | None) -> None:
    assert listener.hear(said) is expected
