"""The OpenAI-compatible client against a real server: how a request is put, what errors mean, what stays secret."""

import io
import json
import logging
import subprocess
import sys
import time
from email.utils import formatdate

import pytest
from chat_helpers import KEY, MODEL, Items, chat, key, lines, lost, question, questions, quick  # noqa: F401
from llm_server import LLMServer

from tasks.errors import ConfigurationError, DataEnvGymError
from teachers.chat import AzureOpenAIChat, Calls, ChatError, OpenAIChat
from teachers.chat.schema import ReplyError, is_strict, parse_reply, strict_schema
from teachers.chat.wire import read_completion, retry_after

pytestmark = pytest.mark.usefixtures("key", "quick")


def once(kind):
    return lambda body, attempt: kind if attempt == 0 else None


def test_a_question_is_answered_and_the_wire_holds_what_the_protocol_wants():
    with LLMServer() as server:
        (answer,) = Calls(chat(server.url, temperature=0.5)).ask([question("Hello", system="Be brief.")])
    assert answer.failure is None and len(answer.get().items) == 3
    (body,) = server.bodies
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert body["max_completion_tokens"] == 64 and body["temperature"] == 0.5 and "max_tokens" not in body
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == strict_schema(Items)
    assert len(server.log[0]["key"]) == 64  # Idempotency-Key


def test_importing_and_building_needs_no_sdk_and_no_key():
    code = (
        "import sys, os; os.environ.pop('OPENAI_API_KEY', None)\n"
        "from teachers.chat import Calls, OpenAIChat\nCalls(OpenAIChat('gpt-4o'))\n"
        "sys.exit(bool({'openai', 'aiohttp', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_a_missing_key_is_one_line_at_the_first_call(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with LLMServer() as server:
        calls = Calls(chat(server.url))
        with pytest.raises(ConfigurationError, match=r"^The environment variable OPENAI_API_KEY is not set") as caught:
            calls.ask(questions(4))
    assert "\n" not in str(caught.value) and not server.log and lost(calls)["calls"] == 0


def test_fallbacks_of_many_calls_at_once_do_not_overshoot():
    with LLMServer(refuse=("json_schema",), latency=0.02) as server:
        assert all(answer.value for answer in Calls(chat(server.url, concurrency=16)).ask(questions(32)))
    assert {body.get("response_format", {}).get("type") for body in server.bodies} == {"json_schema", "json_object"}


def test_an_explicit_structured_mode_does_not_fall_back():
    with LLMServer(refuse=("json_schema",)) as server, pytest.raises(ChatError, match="response_format"):
        Calls(chat(server.url, structured="json_schema")).ask(questions(1))


def test_the_limit_and_the_temperature_fall_back_too():
    with LLMServer(refuse=("max_completion_tokens", "temperature")) as server:
        assert Calls(chat(server.url, temperature=0.7, concurrency=1)).ask(questions(2))[1].value
    last = server.bodies[-1]
    assert last["max_tokens"] == 64 and "max_completion_tokens" not in last and "temperature" not in last
    assert len(server.bodies) == 4


def test_an_endpoint_that_passes_over_the_limit_gets_the_old_name():
    with LLMServer(ignore=("max_completion_tokens",)) as server:
        Calls(chat(server.url, concurrency=1, max_tokens=5)).ask(questions(2))
    assert "max_completion_tokens" in server.bodies[0] and server.bodies[-1]["max_tokens"] == 5


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (LLMServer(key="another-key-98765"), r"refuses the API key in OPENAI_API_KEY \(401\)"),
        (LLMServer(models=("other-model",)), rf"has no model '{MODEL}'.*404"),
        (LLMServer(faults={"quota": 1.0}), "quota is used up"),
        (LLMServer(refuse=("system",)), "400: System role not supported"),
    ],
)
def test_what_cannot_pass_ends_the_asking_in_one_line(server, words, tmp_path):
    asked = [question(f"{index}", system="Be brief.") for index in range(40)]
    with server:
        calls = Calls(chat(server.url, concurrency=4))
        with calls.recording(tmp_path / "calls.jsonl"), pytest.raises(ChatError, match=words) as caught:
            calls.ask(asked)
    assert "\n" not in str(caught.value) and isinstance(caught.value, DataEnvGymError)
    assert len(server.log) <= 8, "an endpoint that cannot be used is asked no further"
    assert lost(calls)["calls"] == 0 and calls.cost()["calls"] == 0


def test_an_address_that_nobody_listens_at_gives_up_unbilled():
    calls = Calls(chat("http://127.0.0.1:9/v1", max_attempts=2))
    (answer,) = calls.ask(questions(1))
    assert answer.failure == "gave_up"
    assert calls.counters == {"retries/connection": 2, "failures/gave_up": 1} and lost(calls)["calls"] == 0
    with pytest.raises(ChatError, match="gave_up"):
        answer.get()


@pytest.mark.parametrize(
    ("kind", "reason", "maybe_billed"),
    [
        ("rate_limit", "rate_limit", 0),
        ("rate_limit_wait", "rate_limit", 0),
        ("server_error", "server_error", 0),
        ("gateway_timeout", "server_error", 1),
        ("truncated", "broken_body", 1),
        ("broken_json", "broken_body", 1),
        ("disconnect", "connection", 1),
        ("hang", "timeout", 1),
    ],
)
def test_what_may_pass_is_tried_again_under_its_name(kind, reason, maybe_billed):
    with LLMServer(faults=once(kind), hang_seconds=3) as server:
        calls = Calls(chat(server.url, timeout=0.3 if kind == "hang" else 5.0))
        (answer,) = calls.ask(questions(1))
    assert answer.value is not None
    assert calls.counters == {f"retries/{reason}": 1, **({"lost": maybe_billed} if maybe_billed else {})}
    assert lost(calls)["calls"] == maybe_billed and calls.paid["calls"] == 1


def test_retry_after_is_honoured_by_all_calls():
    def slow_first(body, attempt):
        return "rate_limit_wait" if "about 0." in body["messages"][0]["content"] and attempt == 0 else None

    with LLMServer(faults=slow_first, retry_after="1") as server:
        Calls(chat(server.url, concurrency=1)).ask(questions(3))
    times = [row["time"] for row in server.log]
    assert len(times) == 4 and times[1] - times[0] > 0.9


def test_forms_of_retry_after():
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert 50 < retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)}) <= 60
    assert retry_after({"retry-after": formatdate(time.time() - 60, usegmt=True)}) == 0
    assert retry_after({"retry-after": "soon"}) is None and retry_after({}) is None
    assert retry_after({"retry-after": "inf"}) is None and retry_after({"retry-after": "-3"}) is None


def test_a_reply_that_was_cut_off_is_asked_for_again_once():
    with LLMServer(faults={"cut": 1.0}) as server:
        calls = Calls(chat(server.url, max_reasks=5))
        (answer,) = calls.ask(questions(1))
    assert answer.failure == "invalid_reply" and len(server.log) == 2 and calls.counters["reasks"] == 1
    assert "shorter" in server.bodies[1]["messages"][-1]["content"]


def test_a_wrong_reply_goes_back_with_what_is_wrong():
    with LLMServer(faults=lambda body, attempt: None if len(body["messages"]) > 1 else "wrong_schema") as server:
        calls = Calls(chat(server.url))
        (answer,) = calls.ask(questions(1))
    assert answer.value is not None and calls.counters == {"reasks": 1}
    first, wrong, note = server.bodies[1]["messages"]
    assert first == server.bodies[0]["messages"][0] and wrong["content"] == '{"unexpected": "shape"}'
    assert "items: Field required" in note["content"]


def test_a_model_that_never_fits_is_asked_as_often_as_was_set():
    with LLMServer(faults={"wrong_schema": 1.0}) as server:
        calls = Calls(chat(server.url, max_reasks=3))
        (answer,) = calls.ask(questions(1))
    assert answer.failure == "invalid_reply" and answer.text == '{"unexpected": "shape"}' and len(server.log) == 4
    assert calls.counters == {"reasks": 3, "failures/invalid_reply": 1}


def test_azure_is_asked_at_its_deployment_with_its_own_key(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    with LLMServer() as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.azure_url)
        assert Calls(AzureOpenAIChat("my-deployment")).ask(questions(1))[0].value
        monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
        assert Calls(AzureOpenAIChat("my-deployment", server.azure_url)).ask(questions(1))[0].value
        with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
            Calls(AzureOpenAIChat("my-deployment")).ask(questions(1))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 0},
        {"max_reasks": -1},
        {"timeout": 0},
        {"base_url": "localhost:8000"},
        {"base_url": "https://me:secret@host/v1"},
        {"temperature": -1},
    ],
)
def test_settings_that_cannot_work(settings):
    with pytest.raises(ConfigurationError) as caught:
        OpenAIChat("m", **settings)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_the_key_is_in_no_file_no_log_and_no_error(tmp_path, monkeypatch):
    canary = "sk-canary/+4711-very-secret-0815"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    loggers = [logging.getLogger(name) for name in ("openai", "httpx", "httpx2", "httpcore", "aiohttp", "teachers")]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    texts = []

    def brain(body):
        return json.dumps({"items": ["my key is {{key}}", "{{key}}{{key}}"]})

    def faults(body, attempt):
        return ["rate_limit", "server_error", "truncated", None][attempt]

    try:
        with LLMServer(brain, key=canary, echo_key=True, faults=faults) as server:
            model = chat(server.url)
            calls = Calls(model, max_usd=1)
            with calls.recording(tmp_path / "calls.jsonl"):
                texts += [answer.text + repr(answer.value) for answer in calls.ask(questions(3))]
                texts += [repr(model), repr(calls), str(calls.cost())]
        with LLMServer(key="the-right-one", echo_key=True) as server:
            with pytest.raises(ChatError) as caught:
                Calls(chat(server.url)).ask(questions(1))
            texts += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
        with LLMServer(key=canary, echo_key=True, faults={"quota": 1.0}) as server:
            with pytest.raises(ChatError) as caught:
                Calls(chat(server.url)).ask(questions(1))
            texts += [str(caught.value)]
    finally:
        logging.getLogger().removeHandler(handler)
        for logger in loggers:
            logger.setLevel(logging.NOTSET)
    assert "[API key]" in texts[0] and "[API key]" in texts[-1], "the server did repeat the key"
    assert log.getvalue(), "the loggers were on"
    texts += [log.getvalue(), *(path.read_text() for path in tmp_path.rglob("*") if path.is_file())]
    for text in texts:
        assert "canary" not in text


def test_ctrl_c_leaves_what_was_paid_for_in_the_journal(tmp_path):
    def faults(body, attempt):
        return "hang" if "about 3." in body["messages"][0]["content"] else None

    with LLMServer(faults=faults, hang_seconds=20) as server:
        calls = Calls(chat(server.url, timeout=30.0))

        def interrupt(done, total):
            if done == 3:
                raise KeyboardInterrupt

        calls.report_to(interrupt, print)
        with calls.recording(tmp_path / "calls.jsonl"), pytest.raises(KeyboardInterrupt):
            calls.ask(questions(4))
    part = lines(tmp_path / ".calls.part.jsonl")
    assert sum("done" in row for row in part) == 3 and sum("lost" in row for row in part) == 1


def test_progress_is_told_in_the_asking_thread():
    import threading

    told = []
    with LLMServer() as server:
        calls = Calls(chat(server.url))
        calls.report_to(lambda done, total: told.append((done, total, threading.current_thread())), print)
        calls.ask(questions(5))
    assert [entry[:2] for entry in told] == [(done, 5) for done in range(6)]
    assert {entry[2] for entry in told} == {threading.current_thread()}


def test_strict_schemas_are_closed_and_complete():
    from pydantic import BaseModel, Field

    class Part(BaseModel):
        title: str = Field(min_length=2, description="A title.")

    class Whole(BaseModel):
        parts: list[Part] = Field(min_length=1, max_length=3)
        other: Part = Part(title="xx")
        default: int | None = None

    schema = strict_schema(Whole)
    assert schema["required"] == ["parts", "other", "default"] and schema["additionalProperties"] is False
    assert schema["properties"]["other"] == {"$ref": "#/$defs/Part"}
    assert schema["$defs"]["Part"]["properties"]["title"] == {"type": "string", "description": "A title."}
    assert schema["properties"]["parts"]["minItems"] == 1 and is_strict(schema)

    class Open(BaseModel):
        weights: dict[str, float]

    assert not is_strict(strict_schema(Open))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('Sure {here}!\n\n{"items": ["a"]}\n\nAnything else?', ["a"]),
        ('{"items": ["```py\\nx```"]}', ["```py\nx```"]),
        (r'{"items": ["\(x\) \\( \s \u00e9 \q"]}', ["\\(x\\) \\( \\s é \\q"]),
        ('{"items": ["a\nb"]}', ["a\nb"]),
        ('{"items": ["\\ud83d"]}', ["\ufffd"]),
        ('{"items": ["\\ud83d\\ude00"]}', ["😀"]),
    ],
)
def test_replies_are_read_leniently(text, items):
    assert parse_reply(text, Items).items == items


@pytest.mark.parametrize(
    "text",
    [
        *("", "No.", '{"items": ["a"', '{"items": [1, {"items": ["a"]}', '{"items": [NaN]}', '["a"]', "{" * 9999),
        '{"wrong": {"items": ["a"]}}',  # a part of a reply is never taken for the whole
    ],
)
def test_what_is_no_reply(text):
    with pytest.raises(ReplyError):
        parse_reply(text, Items)


def test_usage_that_is_none():
    for usage in (
        None,
        {},
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": "1", "completion_tokens": 1},
    ):
        body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
        assert read_completion(json.dumps(body).encode(), KEY).usage is None
