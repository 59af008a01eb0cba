"""Our client against the LiteLLM proxy: canned replies, its errors as it words them, and a whole episode through it."""

import json
import urllib.request

import pytest
from chat_helpers import Items, lines, questions
from foreign_servers.servers import MASTER_KEY, litellm_proxy
from llm_server import LLMServer, echo_brain
from procedural_brain import ProceduralBrain

from dataenvgym.cli.main import main
from tasks.errors import DataEnvGymError
from tasks.math import ProceduralMathTask
from teachers.chat import Calls, OpenAIChat

pytestmark = pytest.mark.slow

UPSTREAM_KEY = "sk-upstream-5e1b7c0a93d24f68"
CANNED = {
    "canned": '{"items": ["a", "b", "c"]}',
    "fenced": 'Here you are:\n```json\n{"items": ["a"]}\n```',
    "wrong": '{"unexpected": "shape"}',
    "limited": "litellm.RateLimitError",
    "broken": "litellm.InternalServerError",
    "overflowing": "litellm.ContextWindowExceededError",
}


@pytest.fixture(scope="module")
def upstream():
    with LLMServer(key=UPSTREAM_KEY, hang_seconds=3) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(upstream, tmp_path_factory):
    behind = {"model": "openai/test-model", "api_key": UPSTREAM_KEY, "api_base": upstream.url}
    models = {name: {"model": f"openai/{name}", "mock_response": text} for name, text in CANNED.items()}
    models |= {
        "behind": behind,
        "impatient": {**behind, "timeout": 1},
        "locked": {**behind, "api_key": "sk-other-4711"},
    }
    models["closed"] = {"model": "openai/closed", "api_key": "none", "api_base": "http://127.0.0.1:9/v1"}
    with litellm_proxy(tmp_path_factory.mktemp("litellm"), models) as url:
        yield f"{url}/v1"


@pytest.fixture(autouse=True)
def surroundings(upstream, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", MASTER_KEY)
    monkeypatch.setattr("teachers.chat.concurrency._FIRST_WAIT", 0.01)
    upstream.brain, upstream.faults, upstream.refuse, upstream.models = echo_brain, {}, (), None
    upstream.log.clear()
    upstream.bodies.clear()


def calls_to(proxy, model, **settings):
    return Calls(OpenAIChat(model, proxy, **{"max_tokens": 64, "timeout": 60.0, "max_attempts": 2, **settings}))


def ask(proxy, model, **settings):
    calls = calls_to(proxy, model, **settings)
    (answer,) = calls.ask(questions(1))
    return answer, calls


def final(proxy, model, **settings):
    """The one line that asking ends with where no call can ever work."""
    with pytest.raises(DataEnvGymError) as caught:
        calls_to(proxy, model, concurrency=1, **settings).ask(questions(3))
    message = str(caught.value)
    assert "\n" not in message and MASTER_KEY not in message and UPSTREAM_KEY not in message
    return message


def test_a_canned_reply_is_validated_and_its_usage_counted(proxy, tmp_path):
    calls = calls_to(proxy, "canned")
    with calls.recording(tmp_path / "calls.jsonl"):
        (answer,) = calls.ask(questions(1))
    assert answer.get() == Items(items=["a", "b", "c"]) and not calls.counters
    (row,) = lines(tmp_path / "calls.jsonl")
    assert row["usage"] == {"input": 10, "output": 20, "cached": 0} and not row.get("estimated")
    assert calls.cost()["tokens"] == 30 and calls.cost()["calls"] == 1


def test_a_canned_reply_in_a_fence_is_read(proxy):
    assert ask(proxy, "fenced")[0].get() == Items(items=["a"])


def test_a_reply_of_another_shape_is_asked_for_again_and_then_named(proxy):
    answer, calls = ask(proxy, "wrong", max_reasks=2)
    assert answer.value is None and answer.failure == "invalid_reply" and answer.text == CANNED["wrong"]
    assert calls.counters["reasks"] == 2 and calls.counters["failures/invalid_reply"] == 1
    assert calls.cost()["tokens"] == 90, "all three were billed"


@pytest.mark.parametrize(
    ("model", "reason"), [("limited", "rate_limit"), ("broken", "server_error"), ("closed", "server_error")]
)
def test_what_may_pass_is_tried_as_often_as_was_set(proxy, model, reason):
    answer, calls = ask(proxy, model, max_attempts=3)
    assert answer.value is None and answer.failure == "gave_up"
    assert calls.counters[f"retries/{reason}"] == 3 and calls.cost()["calls"] == 0


@pytest.mark.parametrize(
    ("fault", "model", "reason"),
    [
        ("rate_limit", "behind", "rate_limit"),
        ("rate_limit_wait", "behind", "rate_limit"),
        ("server_error", "behind", "server_error"),
        ("gateway_timeout", "behind", "server_error"),
        ("hang", "impatient", "server_error"),
        ("truncated", "behind", "server_error"),
        ("broken_json", "behind", "server_error"),
        ("disconnect", "behind", "server_error"),
    ],
)
def test_a_fault_behind_the_proxy_passes(proxy, upstream, fault, model, reason):
    upstream.faults = lambda body, attempt: fault if len(upstream.log) == 0 else None
    answer, calls = ask(proxy, model)
    assert answer.value is not None, answer
    assert calls.counters[f"retries/{reason}"] == 1 and upstream.kinds()[fault] == 1


def test_a_prompt_that_is_too_long_costs_that_prompt_only(proxy):
    """LiteLLM answers 400 with code "400"; that it is the context is in the message alone."""
    answer, calls = ask(proxy, "overflowing")
    assert answer.value is None and answer.failure
    assert sum(count for name, count in calls.counters.items() if name.startswith("failures/")) == 1


@pytest.mark.parametrize("fault", ["filtered", "refused"])
def test_a_prompt_that_is_filtered_costs_that_prompt_only(proxy, upstream, fault):
    """LiteLLM answers a filtered prompt with 400, code "400" and type "content_filter"."""
    upstream.faults = {fault: 1.0}
    answer, _ = ask(proxy, "behind")
    assert answer.failure == "refused" and len(upstream.log) == 1


def test_usage_that_the_proxy_made_up_is_not_believed(proxy, upstream):
    """Of a reply without usage LiteLLM says 0 tokens in and out; a cap on dollars must not rest on that."""
    upstream.faults = {"no_usage": 1.0}
    _, calls = ask(proxy, "behind")
    assert calls.cost()["tokens"] > 0


@pytest.mark.parametrize(
    ("refuse", "kinds"),
    [
        (("json_schema",), ["json_schema", "json_object"]),
        (("json_schema", "json_object"), ["json_schema", "json_object", None]),
    ],
)
def test_a_schema_that_is_refused_behind_the_proxy(proxy, upstream, refuse, kinds):
    upstream.refuse = refuse
    ask(proxy, "behind", max_reasks=0)
    assert [body.get("response_format", {}).get("type") for body in upstream.bodies] == kinds
    assert '"additionalProperties": false' in upstream.bodies[-1]["messages"][-1]["content"]


@pytest.mark.parametrize("name", ["max_completion_tokens", "temperature"])
def test_a_parameter_that_is_refused_behind_the_proxy(proxy, upstream, name):
    upstream.refuse = (name,)
    ask(proxy, "behind", max_reasks=0, temperature=0.5)
    assert name in upstream.bodies[0] and name not in upstream.bodies[-1] and len(upstream.bodies) == 2


def test_the_proxy_is_never_asked_for_a_stream(proxy, upstream):
    ask(proxy, "behind", max_reasks=0)
    assert upstream.bodies and not any(body.get("stream") for body in upstream.bodies)


def test_models_that_do_not_exist_end_in_one_line(proxy, upstream):
    assert "'nonesuch'" in final(proxy, "nonesuch") and not upstream.log
    upstream.models = ("another",)
    assert "no model 'behind'" in final(proxy, "behind")


def test_a_key_that_is_refused_behind_the_proxy(proxy):
    assert "OPENAI_API_KEY (401)" in final(proxy, "locked")


@pytest.mark.parametrize("key", ["sk-wrong-4711-0815-2342-6174", "no-prefix-4711-0815-2342-6174"])
def test_a_key_that_the_proxy_refuses_is_in_no_message(proxy, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    message = final(proxy, "canned")
    assert not any(key[index : index + 6] in message for index in range(len(key) - 5)), message


def test_forty_questions_at_a_time(proxy, upstream):
    upstream.faults = {"rate_limit": 0.1, "server_error": 0.1}
    calls = calls_to(proxy, "canned", concurrency=16)
    assert all(answer.value for answer in calls.ask(questions(40)))
    assert calls.cost()["calls"] == 40 and calls.cost()["tokens"] == 40 * 30


def test_an_episode_through_the_proxy(proxy, upstream, episode_words, tmp_path, capfd):
    upstream.brain = ProceduralBrain(ProceduralMathTask(val_size=54, test_size=54))
    words = episode_words(tmp_path / "run", environment="skill_tree", teacher="skill_tree_llm")
    chat = "--teacher.init_args.chat.init_args."
    words += [f"{chat}model", "behind", f"{chat}base_url", proxy, "--teacher.init_args.max_usd", "null"]
    assert main(words) == 0
    told = capfd.readouterr()
    rows = lines(tmp_path / "run" / "calls.jsonl")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == "finished" and summary["records"] == 60
    assert len(rows) == summary["cost"]["calls"] == len(upstream.log)
    assert sum(row["usage"]["input"] for row in rows) == upstream.billed()[0] > 0
    assert sum(row["usage"]["output"] for row in rows) == upstream.billed()[1] > 0
    written = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    for key in (MASTER_KEY, UPSTREAM_KEY):
        assert key not in told.out + told.err and not any(key.encode() in content for content in written)


def test_an_episode_whose_endpoint_is_down_behind_the_proxy_has_failed(proxy, episode_words, tmp_path, capfd):
    words = episode_words(tmp_path / "run", "--environment.budget.max_records", "6", teacher="open_ended_llm")
    chat = "--teacher.init_args.chat.init_args."
    words += [f"{chat}model", "closed", f"{chat}base_url", proxy, "--teacher.init_args.max_usd", "null"]
    assert main([*words, f"{chat}max_attempts", "2"]) == 1
    told = capfd.readouterr().err
    assert sum(line.startswith("dataenvgym: error:") for line in told.splitlines()) == 1 and "Traceback" not in told
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["status"] == "failed"


def test_the_proxy_lists_what_it_was_given(proxy):
    """Whether these tests ask the server that they mean to ask."""
    request = urllib.request.Request(f"{proxy}/models", headers={"Authorization": f"Bearer {MASTER_KEY}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
        assert {row["id"] for row in json.load(response)["data"]} >= CANNED.keys()
