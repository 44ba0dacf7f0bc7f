"""A model over real HTTP: what comes of its answers, and of every way in which they fail."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai.resources.chat  # noqa: F401 - half a second that is no test's to wait for
import pytest

from emulators.openai_rules import Action, Asked, Call, Fault, FaultKind, Rule, Rules
from emulators.openai_server import OpenAIEmulator
from voiceagent.brain.chat import (
    ChatEvent,
    ChatRequest,
    Finished,
    TextDelta,
    ToolCall,
    ToolCalls,
)
from voiceagent.brain.llm.openai_chat import Deadlines, OpenAIChat
from voiceagent.errors import EngineTimeout, ProviderError

KEY = "sk-secret-0123456789"
WORDS = "my-most-private-words"
ASKED = ChatRequest([{"role": "system", "content": "Be kind."}, {"role": "user", "content": WORDS}])
TEN_SECONDS = Deadlines(first_token_s=10.0, gap_s=10.0, total_s=10.0)
ANSWER = Action("Of course. We are open on Sundays, from nine to five.")


@asynccontextmanager
async def asking(
    emulator: OpenAIEmulator, deadlines: Deadlines = TEN_SECONDS, **options: int
) -> AsyncIterator[OpenAIChat]:
    model = OpenAIChat(
        emulator.base_url, "small", KEY, deadlines=deadlines, pause_s=lambda: 0.0, **options
    )
    try:
        yield model
    finally:
        await model.close()


@dataclass
class Answer:
    """What came, up to the failure if there was one."""

    events: list[ChatEvent] = field(default_factory=list)
    failure: ProviderError | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def calls(self) -> Sequence[ToolCall]:
        return [call for e in self.events if isinstance(e, ToolCalls) for call in e.calls]


async def answer_of(model: OpenAIChat, request: ChatRequest = ASKED) -> Answer:
    answer = Answer()
    try:
        async for event in model.stream(request):
            answer.events.append(event)
    except ProviderError as error:
        answer.failure = error
        said = f"{error} {error.__cause__} {error!r}"
        assert KEY not in said
        assert WORDS not in said
    return answer


def failing(fault: Fault, *, times: int = 0) -> Rules:
    """That fault so often, or always, in place of the answer; then the answer."""
    action = Action(ANSWER.text, fault=fault)
    return Rules([Rule(action, times=times), Rule(ANSWER)])


# --- an answer ------------------------------------------------------------------------------


async def test_words_come_as_they_are_written() -> None:
    hebrew = "שלום! אנחנו פתוחים בימי ראשון, מ-9 עד 17."
    async with OpenAIEmulator([Rule(Action(hebrew))]) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert answer.text == hebrew
    assert len(answer.events) > 5
    assert answer.events[-1] == Finished("stop")
    (asked,) = emulator.requests
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {"model": "small", "stream": True, "messages": list(ASKED.messages)}


async def test_tools_are_offered_and_their_calls_come_whole() -> None:
    tool = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
    calls = (Call("book", '{"day": "יום שני", "hour": 10}'), Call("book", "{not json"))
    action = Action("One moment.", calls)
    async with OpenAIEmulator([Rule(action)]) as emulator, asking(emulator) as model:
        answer = await answer_of(model, ChatRequest(ASKED.messages, [tool], "none"))
    assert answer.text == "One moment."
    assert [(call.name, call.arguments) for call in answer.calls] == [
        ("book", '{"day": "יום שני", "hour": 10}'),
        ("book", "{not json"),
    ]
    assert len({call.id for call in answer.calls}) == 2
    assert [type(event) for event in answer.events[-2:]] == [ToolCalls, Finished]
    assert emulator.requests[0].tools == [tool]
    assert emulator.requests[0].body["tool_choice"] == "none"


async def test_thinking_aloud_is_not_for_the_caller() -> None:
    action = Action("<think>They want a flat. <b>Hm.</think>\n\nA flat, of course.")
    async with OpenAIEmulator([Rule(action)]) as emulator, asking(emulator) as model:
        assert (await answer_of(model)).text == "A flat, of course."


async def test_a_connection_serves_one_answer_after_the_other() -> None:
    async with OpenAIEmulator([Rule(ANSWER)]) as emulator, asking(emulator) as model:
        for _ in range(5):
            assert (await answer_of(model)).text == ANSWER.text
    assert emulator.connections == 1


async def test_many_answers_come_at_once() -> None:
    def echo(asked: Asked) -> Action:
        return Action(f"You said {asked.last_words}.")

    async with OpenAIEmulator(echo) as emulator, asking(emulator) as model:
        requests = [ChatRequest([{"role": "user", "content": f"word {n}"}]) for n in range(50)]
        answers = await asyncio.gather(*(answer_of(model, request) for request in requests))
    assert [answer.text for answer in answers] == [f"You said word {n}." for n in range(50)]


async def test_a_warm_up_is_a_real_exchange() -> None:
    async with OpenAIEmulator([Rule(ANSWER)]) as emulator, asking(emulator) as model:
        await model.warm_up()
        assert len(emulator.requests) == 1
        emulator.behaviour = failing(Fault("status", status=401))
        with pytest.raises(ProviderError, match="does not accept the key"):
            await model.warm_up()


async def test_a_warm_up_does_not_take_the_loading_of_the_library_for_the_server() -> None:
    class SlowToLoad(OpenAIChat):
        def _make(self) -> Any:
            time.sleep(2.5)
            return super()._make()

    hasty = Deadlines(first_token_s=2.0)
    async with OpenAIEmulator([Rule(ANSWER)]) as emulator:
        model = SlowToLoad(emulator.base_url, "emulated", warm_up_deadlines=hasty)
        await model.warm_up()
        assert len(emulator.requests) == 1
        await model.close()


async def test_a_closed_model_says_so() -> None:
    async with OpenAIEmulator() as emulator, asking(emulator) as model:
        await model.close()
        answer = await answer_of(model)
    assert "closed" in str(answer.failure)


# --- nobody wants the rest --------------------------------------------------------------------


async def test_the_server_learns_at_once_that_nobody_listens() -> None:
    fault = Fault("hang", after_tokens=3)
    async with OpenAIEmulator(failing(fault)) as emulator, asking(emulator) as model:
        async with aclosing(model.stream(ASKED)) as events:
            assert isinstance(await anext(events), TextDelta)
        async with asyncio.timeout(1.0):
            await emulator.exchanges[0].disconnected.wait()


async def test_cancelling_the_wait_for_the_first_token_reaches_the_server() -> None:
    fault = Fault("hang")
    async with OpenAIEmulator(failing(fault)) as emulator, asking(emulator) as model:
        waiting = asyncio.create_task(answer_of(model))
        exchange = await emulator.asked(1)
        waiting.cancel()
        async with asyncio.timeout(1.0):
            await exchange.disconnected.wait()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_an_abandoned_answer_takes_no_connection_from_the_next() -> None:
    fault = Fault("silent", after_tokens=1)
    async with OpenAIEmulator(failing(fault, times=8)) as emulator, asking(emulator) as model:
        for _ in range(8):
            async with aclosing(model.stream(ASKED)) as events:
                await anext(events)
        assert (await answer_of(model)).text == ANSWER.text


# --- before the first token -------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=429),
        Fault("status", status=500),
        Fault("status", status=503),
        Fault("bare"),
        Fault("reset"),
        Fault("unfinished"),
        Fault("error_event"),
    ],
    ids=str,
)
async def test_a_passing_fault_is_not_noticed(fault: Fault) -> None:
    async with OpenAIEmulator(failing(fault, times=1)) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert (answer.text, answer.failure) == (ANSWER.text, None)
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [(429, "has no capacity left for us (429 on_demand)"), (500, "failed (500 on_demand)")],
)
async def test_a_lasting_fault_is_tried_twice(status: int, said: str) -> None:
    fault = Fault("status", status=status)
    async with OpenAIEmulator(failing(fault)) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert str(answer.failure) == f"the language model {said}"
    assert answer.failure is not None
    assert answer.failure.retryable
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    fault = Fault("status", status=status)
    async with OpenAIEmulator(failing(fault)) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert str(status) in str(answer.failure)
    assert answer.failure is not None
    assert not answer.failure.retryable
    assert len(emulator.requests) == 1


async def test_a_wait_that_the_server_wants_is_kept_if_it_fits() -> None:
    fault = Fault("status", status=429, retry_after="0.3")
    async with OpenAIEmulator(failing(fault, times=1)) as emulator, asking(emulator) as model:
        began_s = time.monotonic()
        assert (await answer_of(model)).text == ANSWER.text
        assert time.monotonic() - began_s >= 0.3
    assert len(emulator.requests) == 2


async def test_a_wait_that_does_not_fit_is_a_failure_at_once() -> None:
    fault = Fault("status", status=429, retry_after="30")
    async with OpenAIEmulator(failing(fault, times=1)) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert "no capacity" in str(answer.failure)
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("kind", ["hang", "silent"])
async def test_a_model_that_does_not_begin_is_given_up(kind: FaultKind) -> None:
    short = Deadlines(first_token_s=0.6, gap_s=10.0, total_s=10.0)
    async with (
        OpenAIEmulator(failing(Fault(kind))) as emulator,
        asking(emulator, short) as model,
    ):
        answer = await answer_of(model)
        assert isinstance(answer.failure, EngineTimeout)
        assert "did not begin" in str(answer.failure)
        assert len(emulator.requests) == 1
        async with asyncio.timeout(1.0):
            await emulator.exchanges[0].disconnected.wait()


async def test_thoughts_without_an_answer_do_not_count_as_a_beginning() -> None:
    short = Deadlines(first_token_s=0.3, gap_s=10.0, total_s=10.0)
    action = Action("<think>" + "what if " * 200, token_ms=10.0)
    async with OpenAIEmulator([Rule(action)]) as emulator, asking(emulator, short) as model:
        answer = await answer_of(model)
    assert isinstance(answer.failure, EngineTimeout)
    assert answer.text == ""


async def test_both_tries_share_the_time_to_the_first_token() -> None:
    short = Deadlines(first_token_s=1.2, gap_s=10.0, total_s=10.0)
    rules = [
        Rule(Action(fault=Fault("status", status=503), first_token_ms=700.0), request=1),
        Rule(Action(ANSWER.text, first_token_ms=700.0)),
    ]
    async with OpenAIEmulator(rules) as emulator, asking(emulator, short) as model:
        answer = await answer_of(model)
    assert isinstance(answer.failure, EngineTimeout)
    assert len(emulator.requests) == 2


async def test_nobody_there_is_a_failure() -> None:
    async with OpenAIEmulator() as emulator:
        pass
    async with asking(emulator) as model:
        answer = await answer_of(model)
    assert "cannot be reached" in str(answer.failure)
    assert answer.failure is not None
    assert answer.failure.retryable


@pytest.mark.parametrize(
    ("kind", "said"),
    [("html", "answered text/html"), ("whole", "answered application/json")],
)
async def test_what_is_no_stream_is_not_taken_for_one(kind: FaultKind, said: str) -> None:
    async with OpenAIEmulator(failing(Fault(kind))) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert said in str(answer.failure)
    assert answer.events == []


async def test_rubbish_instead_of_events_is_a_failure() -> None:
    async with OpenAIEmulator(failing(Fault("malformed"))) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert "unreadable" in str(answer.failure)


# --- behind the first token -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset", "malformed", "error_event", "unfinished"])
async def test_an_answer_that_breaks_off_is_not_begun_anew(kind: FaultKind) -> None:
    fault = Fault(kind, after_tokens=4)
    async with OpenAIEmulator(failing(fault)) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert answer.text == "Of course. We"
    assert answer.failure is not None
    assert Finished("stop") not in answer.events
    assert len(emulator.requests) == 1


async def test_a_model_that_falls_silent_is_given_up() -> None:
    short = Deadlines(first_token_s=10.0, gap_s=0.2, total_s=10.0)
    fault = Fault("hang", after_tokens=4)
    async with (
        OpenAIEmulator(failing(fault)) as emulator,
        asking(emulator, short) as model,
    ):
        answer = await answer_of(model)
        async with asyncio.timeout(1.0):
            await emulator.exchanges[0].disconnected.wait()
    assert answer.text == "Of course. We"
    assert "fell silent" in str(answer.failure)


async def test_the_time_that_the_reader_takes_is_not_the_models() -> None:
    short = Deadlines(first_token_s=10.0, gap_s=1.0, total_s=10.0)
    async with OpenAIEmulator([Rule(ANSWER)]) as emulator, asking(emulator, short) as model:
        text = ""
        async for event in model.stream(ASKED):
            if not text:
                await asyncio.sleep(1.2)
            text += event.text if isinstance(event, TextDelta) else ""
    assert text == ANSWER.text


async def test_tokens_without_end_are_ended() -> None:
    fault = Fault("endless")
    async with (
        OpenAIEmulator(failing(fault)) as emulator,
        asking(emulator, max_chars=400) as model,
    ):
        answer = await answer_of(model)
        assert 400 < len(answer.text) < 420
        assert answer.events[-1] == Finished("length")
        async with asyncio.timeout(1.0):
            await emulator.exchanges[0].disconnected.wait()


async def test_slow_tokens_without_end_are_ended_as_well() -> None:
    short = Deadlines(first_token_s=10.0, gap_s=10.0, total_s=0.6)
    action = Action(fault=Fault("endless"), token_ms=20.0)
    async with OpenAIEmulator([Rule(action)]) as emulator, asking(emulator, short) as model:
        answer = await answer_of(model)
    assert answer.events[-1] == Finished("length")
    assert answer.text


async def test_arguments_without_end_are_a_failure() -> None:
    action = Action(calls=(Call("book", "[" * 20_000),))
    async with OpenAIEmulator([Rule(action)]) as emulator, asking(emulator) as model:
        answer = await answer_of(model)
    assert "without end" in str(answer.failure)


async def test_an_answer_that_the_server_cuts_is_known_as_cut() -> None:
    action = Action("Of course. We", finish_reason="length")
    async with OpenAIEmulator([Rule(action)]) as emulator, asking(emulator) as model:
        assert (await answer_of(model)).events[-1] == Finished("length")


async def test_nothing_of_what_was_said_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="voiceagent")
    fault = Fault("status", status=400)
    async with OpenAIEmulator(failing(fault)) as emulator, asking(emulator) as model:
        await answer_of(model)
    assert WORDS not in caplog.text
    assert KEY not in caplog.text
