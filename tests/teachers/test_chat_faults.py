"""The limiter, and a whole round of questions at an endpoint that does everything wrong."""

import asyncio
import random
from collections import Counter

import pytest
from chat_helpers import chat, dollars, key, lines, lost, questions, quick  # noqa: F401
from llm_server import FAULTS, LLMServer

from teachers.chat import Calls
from teachers.chat.concurrency import Limiter, backoff

pytestmark = pytest.mark.usefixtures("key", "quick")


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario(), 20))


def test_room_grows_to_the_limit_with_success():
    limiter = Limiter(100)
    assert limiter.room == 64
    for _ in range(50):
        limiter.succeeded()
    assert limiter.room == 100
    assert Limiter(4).room == 4


def test_a_burst_of_rate_limits_halves_once():
    async def scenario():
        limiter = Limiter(32)
        async with asyncio.TaskGroup() as group:
            gate = asyncio.Event()

            async def call():
                async with limiter.slot() as slot:
                    await gate.wait()
                    limiter.rate_limited(slot)

            for _ in range(32):
                group.create_task(call())
            while limiter._in_flight < 32:
                await asyncio.sleep(0)
            gate.set()
        assert limiter.room == 16
        async with limiter.slot() as slot:
            limiter.rate_limited(slot)
        assert limiter.room == 8
        limiter.succeeded()
        assert 8 < limiter.room < 9, "slower than before the first rate limit"

    run(scenario)


def test_room_is_never_exceeded_and_cancelled_waiters_leave_it():
    async def scenario():
        limiter, inside, most = Limiter(3), 0, 0

        async def call():
            nonlocal inside, most
            async with limiter.slot():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1

        tasks = [asyncio.create_task(call()) for _ in range(30)]
        await asyncio.sleep(0.002)
        for task in tasks[10:20]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most == 3 and inside == 0
        await asyncio.gather(*(call() for _ in range(3)))

    run(scenario)


def test_a_pause_holds_everybody_and_retries_go_first():
    async def scenario():
        limiter, order = Limiter(1), []
        loop = asyncio.get_running_loop()

        async def call(name, first=False):
            async with limiter.slot(first):
                order.append((name, loop.time()))

        limiter.pause(0.2)
        begin = loop.time()
        await asyncio.gather(call("new"), call("newer"), call("retry", first=True))
        assert [name for name, _ in order] == ["retry", "new", "newer"]
        assert all(time - begin >= 0.19 for _, time in order)

    run(scenario)


def test_waits_grow_are_bounded_and_leave_the_global_generator_alone(monkeypatch):
    monkeypatch.setattr("teachers.chat.concurrency._FIRST_WAIT", 0.5)
    state = random.getstate()
    assert all(0.25 <= backoff(1, None) <= 0.5 for _ in range(50))
    assert all(15 <= backoff(30, None) <= 30 for _ in range(50))
    assert backoff(1, 7.0) == 7.0 and backoff(1, 1e9) == 600
    assert random.getstate() == state


def test_every_fault_of_the_server_is_survived_and_counted(tmp_path):
    kinds = {kind: 0.04 for kind in FAULTS if kind not in ("quota", "gateway_timeout")}
    with LLMServer(faults=kinds, hang_seconds=4.0, seed=11, latency=0.005) as server:
        # Long enough that no reply but a hanging one is late, however busy the machine is.
        calls = Calls(chat(server.url, timeout=2.0, concurrency=32, max_attempts=12))
        with calls.recording(tmp_path / "calls.jsonl"):
            answers = calls.ask(questions(150))
        seen = server.kinds()
    failures = Counter(answer.failure for answer in answers)
    assert set(failures) <= {None, "refused", "invalid_reply"} and failures[None] > 100
    assert failures["refused"] == seen["refused"] + seen["filtered"] > 0
    counters = calls.counters
    assert counters["retries/rate_limit"] == seen["rate_limit"] + seen["rate_limit_wait"] > 0
    assert counters["retries/server_error"] == seen["server_error"] > 0
    assert counters["retries/broken_body"] == seen["truncated"] + seen["broken_json"] > 0
    assert counters["retries/connection"] == seen["disconnect"] > 0
    assert counters["retries/timeout"] == seen["hang"] > 0
    assert (
        counters["lost"]
        == lost(calls)["calls"]
        == sum(seen[kind] for kind in ("truncated", "broken_json", "disconnect", "hang"))
    )
    assert counters["reasks"] > 0 and counters["failures/refused"] == failures["refused"]
    assert len(lines(tmp_path / "calls.jsonl")) == calls.cost()["calls"]
    assert calls.cost()["usd"] <= dollars(server) + lost(calls)["usd"] + seen["no_usage"] * 0.001
