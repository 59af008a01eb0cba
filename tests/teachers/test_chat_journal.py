"""The journal: nothing that was paid for is asked again, whatever happened to the process in between."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from chat_helpers import MODEL, chat, dollars, key, lines, lost, question, questions, quick, timeless  # noqa: F401
from llm_server import LLMServer

from tasks.errors import ConfigurationError, MissingFileError, RecordError, StorageError
from teachers.chat import Calls, JournalMissError

pytestmark = pytest.mark.usefixtures("key", "quick")

HERE = Path(__file__).parent


def record(path, server, asked, **settings):
    calls = Calls(chat(server.url), **settings)
    with calls.recording(path):
        return calls, calls.ask(asked)


@pytest.fixture
def offline(monkeypatch):
    def use():
        def refuse(*_, **__):
            raise AssertionError("a socket was opened")

        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "socketpair", refuse)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    return use


def test_a_line_holds_the_exchange(tmp_path):
    with LLMServer() as server:
        _, (answer,) = record(tmp_path / "calls.jsonl", server, [question("Hi", item=3)])
    (line,) = lines(tmp_path / "calls.jsonl")
    assert line["request"]["messages"] == [{"role": "user", "content": "Hi"}] and line["reply"] == answer.text
    assert (line["purpose"], line["step"], line["item"], line["finish_reason"]) == ("engine", 1, 3, "stop")
    assert line["usage"]["input"] + line["usage"]["output"] == sum(server.billed())
    assert line["usd"] == pytest.approx(dollars(server)) and line["seconds"] >= 0 and len(line["key"]) == 64
    assert os.listdir(tmp_path) == ["calls.jsonl"], "the part file goes when all is sealed"


def test_lines_are_in_the_order_of_the_questions_whatever_order_replies_come_in(tmp_path):
    def faults(body, attempt):
        index = int(body["messages"][0]["content"].split()[-1].rstrip("."))
        if index % 3 == 0 and attempt == 0:
            return "rate_limit"
        return "wrong_schema" if index % 4 == 0 and len(body["messages"]) == 1 else None

    with LLMServer(faults=faults) as server:
        record(tmp_path / "calls.jsonl", server, questions(20))
    rows = [(row["item"], len(row["request"]["messages"])) for row in lines(tmp_path / "calls.jsonl")]
    assert rows == sorted(rows) and len(rows) == 25


def test_a_kept_call_is_never_made_again(tmp_path):
    path = tmp_path / "calls.jsonl"
    with LLMServer(faults=lambda body, attempt: "wrong_schema" if len(body["messages"]) == 1 else None) as server:
        first, answers = record(path, server, questions(5))
        before, sent = path.read_bytes(), len(server.log)
        again, same = record(path, server, questions(5))
        assert len(server.log) == sent == 10 and same == answers and path.read_bytes() == before
    assert again.cost() == first.cost() and again.paid == {"usd": 0.0, "calls": 0} and again.replayed == 10
    assert again.counters == first.counters == {"reasks": 5}


def test_the_same_question_twice_at_once_is_one_call(tmp_path):
    with LLMServer(latency=0.05) as server:
        calls, answers = record(tmp_path / "calls.jsonl", server, [question("Same"), question("Same")])
        assert len(server.log) == 1 and answers[0] == answers[1] and calls.cost()["calls"] == 1
        record(tmp_path / "calls.jsonl", server, [question("Same"), question("Same", sample=1)])
        assert len(server.log) == 2


def test_a_replay_needs_no_socket_and_no_key_and_costs_the_same(tmp_path, offline):
    for name in "ab":
        (tmp_path / name).mkdir()
    with LLMServer(faults={"wrong_schema": 0.3, "refused": 0.1}, seed=2) as server:
        calls, answers = record(tmp_path / "a" / "calls.jsonl", server, questions(20))
        url = server.url
    offline()
    replay = Calls(chat(url), journal="replay", journal_path=str(tmp_path / "a"))
    with replay.recording(tmp_path / "b" / "calls.jsonl"):
        assert replay.ask(questions(20)) == answers
        assert replay.cost() == calls.cost() and replay.paid == {"usd": 0.0, "calls": 0}
    assert (tmp_path / "b" / "calls.jsonl").read_bytes() == (tmp_path / "a" / "calls.jsonl").read_bytes()
    alone = Calls(chat(url), journal="replay")
    with alone.recording(tmp_path / "b" / "calls.jsonl"):
        assert alone.ask(questions(20)) == answers, "the copy stands alone"


def test_a_replay_imports_no_sdk(tmp_path):
    with LLMServer() as server:
        record(tmp_path / "calls.jsonl", server, questions(2))
    code = (
        f"import sys; sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE.parent.parent)!r}]\n"
        "from chat_helpers import *; from teachers.chat import Calls\n"
        f"calls = Calls(chat({server.url!r}), journal='replay', journal_path={str(tmp_path)!r})\n"
        "assert all(answer.value for answer in calls.ask(questions(2)))\n"
        "sys.exit(bool({'openai', 'aiohttp'} & set(sys.modules)))"
    )
    words = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    assert subprocess.run([sys.executable, "-c", code], env=words, timeout=120).returncode == 0


@pytest.mark.parametrize("change", ["prompt", "journal", "max_tokens"])
def test_one_changed_character_is_a_miss(change, tmp_path):
    path = tmp_path / "calls.jsonl"
    with LLMServer() as server:
        record(path, server, questions(3))
    asked = questions(3)
    if change == "prompt":
        asked[1] = question("Write three items about 1!", item=1)
    if change == "journal":
        path.write_text(path.read_text().replace("about 1.", "about 1,"))
    replay = Calls(chat(server.url, max_tokens=65 if change == "max_tokens" else 64), journal="replay")
    with (
        replay.recording(path),
        pytest.raises(JournalMissError, match=r"engine, step 1 with key [0-9a-f]{12}") as caught,
    ):
        replay.ask(asked)
    assert "\n" not in str(caught.value)


def test_what_failed_without_a_reply_fails_in_a_replay_too(tmp_path):
    path = tmp_path / "calls.jsonl"
    with LLMServer(faults=lambda body, _: "server_error" if "about 2." in str(body) else None) as server:
        calls = Calls(chat(server.url, max_attempts=2), max_usd=0.002)
        with calls.recording(path):
            answers = calls.ask(questions(300))
    failures = [answer.failure for answer in answers]
    assert {"gave_up", "over_cap", None} == set(failures)
    replay = Calls(chat(server.url, max_attempts=2), max_usd=0.002, journal="replay")
    with replay.recording(path):
        before = path.read_bytes()
        assert [answer.failure for answer in replay.ask(questions(300))] == failures
        assert path.read_bytes() == before and replay.cost() == calls.cost()
    with LLMServer() as server:
        more = Calls(chat(server.url), max_usd=1)
        with more.recording(path):
            assert all(answer.value for answer in more.ask(questions(300))), "with more dollars they are asked"
        assert len(server.log) == len([failure for failure in failures if failure])


def test_calls_of_another_run_are_taken_over_and_not_charged(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    with LLMServer() as server:
        record(tmp_path / "a" / "calls.jsonl", server, questions(3))
        calls, _ = record(
            tmp_path / "b" / "calls.jsonl", server, questions(5), journal_path=str(tmp_path / "a"), max_usd=1.0
        )
        assert len(server.log) == 5 and calls.paid["calls"] == 2 and calls.replayed == 3 and calls.cost()["calls"] == 5
        assert calls.paid["usd"] == pytest.approx(calls._shared.books.meter.spent)
        assert len(lines(tmp_path / "b" / "calls.jsonl")) == 5
        again, _ = record(
            tmp_path / "b" / "calls.jsonl", server, questions(5), journal_path=str(tmp_path / "a"), max_usd=1.0
        )
        assert again._shared.books.meter.spent == pytest.approx(calls.paid["usd"]), "nor when the run is resumed"


def test_off_keeps_usage_and_no_texts_and_replays_nothing(tmp_path):
    path = tmp_path / "calls.jsonl"
    with LLMServer() as server:
        record(path, server, questions(2), journal="off")
        again, _ = record(path, server, questions(2), journal="off")
        assert len(server.log) == 4 and again.cost()["calls"] == 4
    assert again.cost()["usd"] == pytest.approx(dollars(server))
    assert "Write three" not in path.read_text() and "items" not in path.read_text()
    assert set(lines(path)[0]) == {
        "key",
        "model",
        "purpose",
        "step",
        "item",
        "finish_reason",
        "usage",
        "usd",
        "seconds",
    }
    with pytest.raises(ConfigurationError, match="off"):
        Calls(chat(server.url), journal="off", journal_path=str(tmp_path))


def test_without_recording_the_journal_is_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with LLMServer() as server:
        calls = Calls(chat(server.url))
        assert calls.ask(questions(2)) == calls.ask(questions(2)) and len(server.log) == 2
    assert not list(tmp_path.iterdir())


def test_each_recording_begins_with_what_its_file_holds(tmp_path):
    with LLMServer() as server:
        calls = Calls(chat(server.url))
        for name, count in (("a", 2), ("b", 3)):
            (tmp_path / name).mkdir()
            with calls.recording(tmp_path / name / "calls.jsonl"):
                calls.ask(questions(count))
            assert calls.cost()["calls"] == count, "and it can be read afterwards"
        assert len(server.log) == 5


def test_torn_last_lines_are_cut_and_broken_ones_are_an_error(tmp_path):
    path = tmp_path / "calls.jsonl"
    with LLMServer() as server:
        record(path, server, questions(3))
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        record(path, server, questions(3))
        assert len(server.log) == 4 and len(lines(path)) == 3
    path.write_bytes(b"{broken\n" + whole)
    with pytest.raises(RecordError, match="line 1"), Calls(chat(server.url)).recording(path):
        pass
    path.write_text('{"key": "x"}\n')
    with pytest.raises(RecordError, match="lacks a field"), Calls(chat(server.url)).recording(path):
        pass


def test_a_kill_between_sealing_and_clearing_up_counts_nothing_twice(tmp_path):
    path, part = tmp_path / "calls.jsonl", tmp_path / ".calls.part.jsonl"
    for mode in ("record", "off"):
        with LLMServer() as server:
            first, _ = record(path, server, questions(4), journal=mode)
        rows = lines(path)
        part.write_text("".join(json.dumps({"done": index, **row}) + "\n" for index, row in enumerate(rows)))
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
        calls = Calls(chat(server.url), journal=mode, max_usd=1)
        with calls.recording(path):
            assert calls._shared.books.meter.spent == pytest.approx(first.cost()["usd"])
            if mode == "record":
                calls.ask(questions(4))
                assert lines(path) == rows and not part.exists()
        path.unlink()
        part.unlink(missing_ok=True)


def test_calls_in_flight_at_a_kill_count_as_lost(tmp_path):
    part = tmp_path / ".calls.part.jsonl"
    intent = {"key": "k", "purpose": "engine", "step": 1, "item": None, "usd": 0.25}
    part.write_text(
        json.dumps({"intent": 0, **intent}) + "\n" + json.dumps({"intent": 1, **intent}) + '\n{"freed": 1}\n'
    )
    for _ in range(2):  # opening again loses no more
        calls = Calls(chat("http://127.0.0.1:9/v1"), max_usd=1)
        with calls.recording(tmp_path / "calls.jsonl"):
            assert lost(calls) == {"usd": 0.25, "calls": 1} and calls._shared.books.meter.spent == 0.25
            assert calls.cost() == {"usd": 0.0, "tokens": 0, "calls": 0}


def test_a_journal_that_cannot_be_written_stops_before_anything_is_paid(tmp_path):
    with LLMServer() as server:
        calls = Calls(chat(server.url))
        with calls.recording(tmp_path / "nowhere" / "calls.jsonl"), pytest.raises(StorageError, match="Cannot write"):
            calls.ask(questions(3))
        assert not server.log


def test_a_journal_path_that_is_not_there():
    with pytest.raises(MissingFileError, match=r"nowhere.*calls\.jsonl|nowhere"):
        Calls(chat("http://127.0.0.1:9/v1"), journal_path="nowhere")


ASKER = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from chat_helpers import chat, questions
from teachers.chat import Calls, concurrency
concurrency._FIRST_WAIT = 0.01
calls = Calls(chat({url!r}, concurrency=4), max_usd=1)
with calls.recording(Path({path!r})):
    answers = calls.ask(questions(20)) + calls.ask(questions(20, "Now about"))
assert all(answer.value for answer in answers)
"""


def start_server(log, *words):
    server = subprocess.Popen(
        [sys.executable, str(HERE.parent / "llm_server.py"), "--log", str(log), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return server, json.loads(server.stdout.readline())["url"]


def completed(part, path):
    """Keys of the calls that are kept, in either file."""
    rows = [row for row in whole_lines(part) if "done" in row] + whole_lines(path)
    return {row["key"] for row in rows}


def whole_lines(path):
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


@pytest.mark.slow
def test_three_kills_and_a_finish_give_the_lines_of_an_undisturbed_run(tmp_path):
    log = tmp_path / "log.jsonl"
    server, url = start_server(
        log, "--latency", "0.05", "--faults", '{"wrong_schema": 0.1, "server_error": 0.1}', "--honour_idempotency"
    )
    try:
        for name in ("killed", "whole"):
            (tmp_path / name).mkdir()
        path, part = tmp_path / "killed" / "calls.jsonl", tmp_path / "killed" / ".calls.part.jsonl"
        code = ASKER.format(tests=str(HERE.parent), root=str(HERE.parent.parent), url=url, path=str(path))
        for wanted in (8, 22, 35):
            process = subprocess.Popen([sys.executable, "-c", code])
            while len(completed(part, path)) < wanted:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept, sent = completed(part, path), len(whole_lines(log))
            time.sleep(0.3)  # what was in flight reaches the server's log
            later = whole_lines(log)[sent:]
            assert not {row["key"] for row in later} & kept
            mark = len(whole_lines(log))
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
        assert not {row["key"] for row in whole_lines(log)[mark:]} & kept, "a kept call was made again"
        first = Counter(row["key"] for row in whole_lines(log) if row["output"])
        assert max(first.values()) == 1, "an endpoint that honours the key bills nothing twice"
        whole = code.replace(str(path), str(tmp_path / "whole" / "calls.jsonl"))
        subprocess.run([sys.executable, "-c", whole], check=True, timeout=120)
    finally:
        server.stdin.close()
        server.wait(10)
    assert timeless(path) == timeless(tmp_path / "whole" / "calls.jsonl")
    rows = whole_lines(part)
    assert rows and all("lost" in row for row in rows), "the calls in flight at the kills, and nothing else"
    assert not (tmp_path / "whole" / ".calls.part.jsonl").exists()
