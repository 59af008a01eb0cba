"""Our client against `transformers serve` with the shipped student, which generates and cannot write JSON."""

import json
import urllib.error
import urllib.request

import pytest
from chat_helpers import lines, questions
from foreign_servers.servers import STUDENT, transformers_serve

from dataenvgym.cli.main import main
from tasks.errors import DataEnvGymError
from teachers.chat import Calls, OpenAIChat

pytestmark = pytest.mark.slow

KEY = "sk-nobody-asks-for-it-4711-0815"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with transformers_serve(tmp_path_factory.mktemp("transformers")) as url:
        yield f"{url}/v1"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("teachers.chat.concurrency._FIRST_WAIT", 0.01)


def chat(server, model=str(STUDENT), **settings):
    return OpenAIChat(model, server, **{"max_tokens": 16, "timeout": 120.0, "concurrency": 2, **settings})


def sent(server, **fields):
    body = {"model": str(STUDENT), "messages": [{"role": "user", "content": "What is 3 + 4?"}], **fields}
    request = urllib.request.Request(f"{server}/chat/completions", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_what_this_server_does_with_what_we_send(server):
    """The facts that the other tests rest on: the schema is passed over with 200, the limit kept, others refused."""
    status, plain = sent(server, max_completion_tokens=3)
    assert status == 200 and plain["usage"]["completion_tokens"] <= 3
    for kind in ({"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}):
        status, formed = sent(server, max_completion_tokens=3, response_format=kind)
        assert status == 200 and formed["choices"] == plain["choices"], "response_format is ignored"
    assert sent(server, max_completion_tokens=3, temperature=0.0)[0] == 200
    assert sent(server, flavour="sweet")[0] == 422 and sent(server, model="another")[0] == 400


def test_a_real_generation_comes_back_and_is_counted(server, tmp_path):
    calls = Calls(chat(server, max_reasks=2))
    with calls.recording(tmp_path / "calls.jsonl"):
        (answer,) = calls.ask(questions(1))
    assert answer.value is None and answer.failure == "invalid_reply" and answer.text
    assert calls.counters["failures/invalid_reply"] == 1
    rows = lines(tmp_path / "calls.jsonl")
    assert rows[-1]["reply"] == answer.text and len(rows) == calls.cost()["calls"]
    assert all(row["usage"]["input"] > 0 and 0 < row["usage"]["output"] <= 16 for row in rows)
    assert calls.cost()["tokens"] == sum(row["usage"]["input"] + row["usage"]["output"] for row in rows)
    assert calls.cost()["usd"] is None, "nobody knows a price of this model"


def test_many_questions_have_an_end_each(server):
    calls = Calls(chat(server, max_reasks=0, concurrency=8))
    answers = calls.ask(questions(6))
    assert [answer.failure for answer in answers] == ["invalid_reply"] * 6
    assert calls.counters["failures/invalid_reply"] == 6


def test_another_model_ends_in_one_line(server):
    with pytest.raises(DataEnvGymError) as caught:
        Calls(chat(server, "another", concurrency=1)).ask(questions(3))
    assert "'another'" in str(caught.value) and "\n" not in str(caught.value) and KEY not in str(caught.value)


def test_an_episode_with_a_teacher_that_cannot_write_has_failed(server, episode_words, tmp_path, capfd):
    """No call brought anything to use: exit 1, one line that says why, and the run says that it has failed."""
    words = episode_words(tmp_path / "run", "--environment.budget.max_records", "6", teacher="open_ended_llm")
    name = "--teacher.init_args.chat.init_args."
    words += [f"{name}model", str(STUDENT), f"{name}base_url", server, f"{name}max_tokens", "16"]
    assert main([*words, f"{name}concurrency", "2", "--teacher.init_args.max_usd", "null"]) == 1
    told = capfd.readouterr().err
    assert sum(line.startswith("dataenvgym: error:") for line in told.splitlines()) == 1 and "Traceback" not in told
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["status"] == "failed"
    assert KEY not in told
