"""Prices, and the cap: what the server bills never exceeds it."""

import pytest
from chat_helpers import MODEL, chat, dollars, key, lines, lost, question, questions, quick  # noqa: F401
from llm_server import LLMServer

from tasks.errors import ConfigurationError
from teachers.chat import Calls, ChatRequest, Message, OpenAIChat, SpendingCapError
from teachers.chat.meter import Meter, Price, PriceTable, most_tokens
from teachers.chat.types import Usage

pytestmark = pytest.mark.usefixtures("key", "quick")


def test_prices_of_the_table_and_over_it():
    table = PriceTable({"mine": {"input": 1, "output": 2}, MODEL: {"input": 9, "output": 9, "cached": 0}})
    assert table.of("gpt-4o") == Price(2.5, 10.0, 1.25) == table.of("gpt-4o-2024-11-20")
    assert table.of("mine") == Price(1, 2, 1) and table.of(MODEL).input == 9
    assert table.of("unheard-of") is None
    assert Price(2.5, 10.0, 1.25).usd(Usage(1_000_000, 100_000, 400_000)) == 0.6 * 2.5 + 0.4 * 1.25 + 1.0


@pytest.mark.parametrize(
    "price", [{"input": 1}, {"input": 1, "output": -1}, {"input": 1, "output": "2"}, {"in": 1, "output": 1}, 3]
)
def test_prices_that_are_none(price):
    with pytest.raises(ConfigurationError, match="my-model"):
        PriceTable({"my-model": price})


def test_a_cap_needs_a_price_and_says_how_to_give_it():
    with pytest.raises(ConfigurationError, match=r"my-model.*prices"):
        Calls(OpenAIChat("my-model"), max_usd=1)
    calls = Calls(OpenAIChat("my-model"), max_usd=1, prices={"my-model": {"input": 1, "output": 1}})
    with pytest.raises(ConfigurationError, match="other-model"):
        calls.using(OpenAIChat("other-model"))
    for usd in (-1, float("nan")):
        with pytest.raises(ConfigurationError, match="max_usd"):
            Calls(OpenAIChat("gpt-4o"), max_usd=usd)


def test_an_unknown_price_is_none_and_never_nothing(tmp_path):
    with LLMServer() as server:
        calls = Calls(OpenAIChat("my-model", server.url))
        with calls.recording(tmp_path / "calls.jsonl"):
            calls.ask(questions(2))
            assert calls.cost()["usd"] is None and calls.paid["usd"] is None
            assert calls.cost()["calls"] == 2 and calls.cost()["tokens"] == sum(server.billed())
        # A price given later prices what is there, and the cap counts it.
        priced = Calls(OpenAIChat("my-model", server.url), max_usd=1, prices={"my-model": {"input": 1, "output": 1}})
        with priced.recording(tmp_path / "calls.jsonl"):
            assert priced.cost()["usd"] == pytest.approx(sum(server.billed()) / 1e6)


def test_the_bound_covers_what_the_server_counts():
    text = "Wörter, 文字, 😀 " * 500  # in bytes far more than in letters and all that is added for what surrounds it
    request = ChatRequest("m", (Message("system", "s"), Message("user", text)), "S", {"type": "object"}, 77)
    bound = most_tokens(request)
    assert bound.input >= len(text.encode()) and bound.output == 77


def test_costs_are_the_servers_bill_and_each_call_says_what_it_was_made_for(tmp_path):
    asked = [question("a", purpose="policy", step=1), question("b", step=1, item=0), question("c", step=2, item=1)]
    with LLMServer() as server:
        calls = Calls(chat(server.url))
        with calls.recording(tmp_path / "calls.jsonl"):
            calls.ask(asked)
        assert calls.cost()["usd"] == pytest.approx(dollars(server), abs=1e-12)
    kept = lines(tmp_path / "calls.jsonl")
    assert [(row["purpose"], row["step"], row["item"]) for row in kept] == [
        ("policy", 1, None), ("engine", 1, 0), ("engine", 2, 1)
    ]  # fmt: skip
    assert sum(row["usd"] for row in kept) == pytest.approx(calls.cost()["usd"])


def test_other_chat_models_share_cap_and_journal(tmp_path):
    with LLMServer() as server:
        calls = Calls(chat(server.url), max_usd=1)
        assert calls.using(None) is calls
        other = calls.using(OpenAIChat("gpt-4o", server.url, max_tokens=64))
        with calls.recording(tmp_path / "calls.jsonl"):
            calls.ask(questions(1))
            other.ask(questions(1))
            assert calls.cost() == other.cost() and calls.cost()["calls"] == 2
    assert [row["request"]["model"] for row in lines(tmp_path / "calls.jsonl")] == [MODEL, "gpt-4o"]


def test_usage_that_the_endpoint_keeps_to_itself_is_charged_at_its_bound(tmp_path):
    with LLMServer(faults={"no_usage": 1.0}) as server:
        calls = Calls(chat(server.url))
        with calls.recording(tmp_path / "calls.jsonl"):
            calls.ask(questions(1))
    (line,) = lines(tmp_path / "calls.jsonl")
    assert line["estimated"] is True and line["usage"]["output"] == 64
    assert calls.cost()["usd"] > dollars(server)


FAULTS = {
    "rate_limit": 0.05,
    "rate_limit_wait": 0.03,
    "server_error": 0.05,
    "truncated": 0.06,
    "broken_json": 0.05,
    "disconnect": 0.05,
    "hang": 0.02,
    "malformed_text": 0.05,
    "wrong_schema": 0.05,
    "no_usage": 0.05,
    "cut": 0.03,
}


@pytest.mark.parametrize("cap", [0.0005, 0.002, 0.008])
def test_the_servers_bill_stays_under_the_cap_with_64_in_flight_and_every_fault(cap, tmp_path):
    with LLMServer(faults=FAULTS, latency=0.01, hang_seconds=1.0, seed=5, retry_after="0.05") as server:
        calls = Calls(chat(server.url, concurrency=64, timeout=0.4, max_attempts=4), max_usd=cap)
        with calls.recording(tmp_path / "calls.jsonl"):
            answers = calls.ask(questions(200))
            more = calls.ask(questions(50, "And now about"))
    failures = [answer.failure for answer in answers + more]
    assert dollars(server) <= cap
    assert calls.cost()["usd"] + lost(calls)["usd"] <= cap + 1e-12
    assert failures.count("over_cap") > 0 and failures.count(None) > 0, "the cap was reached, and not at once"
    assert calls.counters["failures/over_cap"] == failures.count("over_cap")
    with pytest.raises(SpendingCapError):
        next(answer for answer in more if answer.failure == "over_cap").get()


def test_a_resumed_run_has_spent_what_it_had_spent(tmp_path):
    path = tmp_path / "calls.jsonl"
    with LLMServer(faults=lambda body, attempt: "truncated" if attempt == 0 else None) as server:
        calls = Calls(chat(server.url, concurrency=4), max_usd=0.001)
        with calls.recording(path):
            first = calls.ask(questions(30))
        spent = calls._shared.books.meter.spent
        again = Calls(chat(server.url, concurrency=4), max_usd=0.001)
        with again.recording(path):
            assert again._shared.books.meter.spent == pytest.approx(spent)
            assert lost(again) == lost(calls) and again.cost() == calls.cost()
            assert [answer.failure for answer in again.ask(questions(30))] == [answer.failure for answer in first]
        assert dollars(server) <= 0.001
    assert again.paid["calls"] == 0


def test_waiting_calls_get_what_others_free_in_their_order():
    import asyncio

    async def scenario():
        meter, granted = Meter(10.0), []

        async def call(name, usd, order):
            granted.append((name, await meter.reserve(usd, (order,))))

        tasks = [asyncio.create_task(call(*words)) for words in (("a", 6.0, 0), ("c", 6.0, 2), ("b", 5.0, 1))]
        await asyncio.sleep(0)
        assert granted == [] or granted == [("a", True)]
        await asyncio.sleep(0)
        meter.settle(6.0, 1.0)  # 1 spent: b fits, c does not fit beside it
        await asyncio.sleep(0.01)
        assert granted == [("a", True), ("b", True)]
        meter.settle(5.0, 5.0)  # 6 spent: c never fits
        await asyncio.gather(*tasks)
        assert granted[-1] == ("c", False) and meter.reserved == 0.0 and meter.spent == 6.0

    asyncio.run(scenario())
