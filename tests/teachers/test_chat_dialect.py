"""How an endpoint's form of the protocol is found out: from what it refuses, and from what it passes over."""

import time

import pytest
from chat_helpers import chat, key, question, quick  # noqa: F401
from raw_server import RawServer, completion, error, http

from teachers.chat import Calls
from teachers.chat.dialect import about_format, about_length, about_limit, limit_in, room_in
from tests.teachers.test_chat_misbehaviour import GOOD, ask

pytestmark = pytest.mark.usefixtures("key", "quick")


SCHEMA_REFUSALS = {
    "500": error(500, "json_schema response format is not supported"),
    "501": error(501, "Not implemented"),
    "501 without a word": http(501, ""),
    "400 about a grammar": error(400, "failed to parse grammar"),
    "400 about guided decoding": error(400, "Guided decoding backend xgrammar does not support this"),
    "400 without a word": http(400, ""),
    "400 in other words": error(400, "Unsupported value in request"),
    "422 of pydantic": http(422, '{"detail": [{"loc": ["response_format"], "msg": "extra fields not permitted"}]}'),
    "422 in other words": error(422, "unprocessable"),
    "200 with an error": http(200, '{"error": {"message": "structured outputs are not available", "code": 400}}'),
}  # fmt: skip


@pytest.mark.parametrize("simplest", ["json_object", None])
@pytest.mark.parametrize("name", SCHEMA_REFUSALS)
def test_a_schema_that_is_refused_goes_into_the_prompt(name, simplest):
    taken = {"json_object": ("json_object", None), None: (None,)}[simplest]

    def answer(number, body):
        return completion(GOOD) if body.get("response_format", {}).get("type") in taken else SCHEMA_REFUSALS[name]

    with RawServer(answer) as server:
        answers, counters = ask(server, 4)
    assert all(answer.value for answer in answers) and not counters
    sent = [body.get("response_format", {}).get("type") for body in server.bodies]
    tried = ["json_schema", "json_object", None][: 2 if simplest else 3]
    assert sent == [*tried, *[simplest] * 3], "found out once"
    told = server.bodies[-1]["messages"][0]["content"]
    assert told.startswith("Question 3") and "JSON schema" in told and '"additionalProperties": false' in told


def test_a_500_without_a_word_at_each_schema_is_found_out_too():
    def answer(number, body):
        return http(500, "") if "response_format" in body else completion(GOOD)

    with RawServer(answer) as server:
        answers, _ = ask(server, 4, max_attempts=8)
    assert all(answer.value for answer in answers) and len(server.bodies) <= 12


LIMITS = {
    "OpenAI": ("max_tokens is too large: 4096. This model supports at most 1,024 completion tokens.", 1024),
    "Anthropic": ("max_tokens: 4096 > 512, which is the maximum allowed number of output tokens for claude-3-5", 512),
    "a range": ("Range of max_completion_tokens should be [1, 2048]", 2048),
    "without a number": ("max_completion_tokens exceeds what this deployment allows", 2048),
    "vLLM": ("'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 2048 "
             "tokens and your request has 1500 input tokens (4096 > 2048 - 1500).", 548),
    "two sums": ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 191000, decrease them", 1000),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_is_too_large_is_learned(name):
    said, limit = LIMITS[name]

    def answer(number, body):
        sent = body.get("max_completion_tokens", body.get("max_tokens"))
        return completion(GOOD) if sent <= limit else error(400, said)

    with RawServer(answer) as server:
        answers, counters = ask(server, 3, max_tokens=4096)
    assert all(answer.value for answer in answers) and not counters
    assert server.bodies[1]["max_completion_tokens"] == limit
    of_one_prompt = name in ("vLLM", "two sums")
    assert len(server.bodies) == (6 if of_one_prompt else 4)


@pytest.mark.parametrize("name", ["Unrecognized request argument", "extra fields not permitted", "is not supported"])
def test_a_limit_of_another_name_is_found(name):
    def answer(number, body):
        return error(400, f"max_completion_tokens: {name}") if "max_tokens" not in body else completion(GOOD)

    with RawServer(answer) as server:
        assert all(answer.value for answer in ask(server, 3)[0]) and len(server.bodies) == 4


@pytest.mark.parametrize("reply", ["I would rather not.", '{"things": []}', "", "<think>hm</think>"])
def test_an_endpoint_that_passes_over_the_schema_is_noticed(reply):
    def answer(number, body):
        told = any("JSON schema" in message["content"] for message in body["messages"])
        return completion(GOOD if told else reply)

    with RawServer(answer) as server:
        answers, counters = ask(server, 26)
    assert all(answer.value for answer in answers)
    assert len(server.bodies) <= 1.5 * 26 and counters == {"reasks": len(server.bodies) - 26}


def test_an_endpoint_that_is_asked_for_many_at_once_is_noticed_as_soon():
    def answer(number, body):
        told = any("JSON schema" in message["content"] for message in body["messages"])
        time.sleep(0.01)
        return completion(GOOD if told else "prose")

    with RawServer(answer) as server:
        calls = Calls(chat(server.url, concurrency=64))
        assert all(answer.value for answer in calls.ask([question(f"{index}") for index in range(26)]))
    assert len(server.bodies) <= 1.5 * 26


def test_how_a_request_was_put_is_no_part_of_its_key(tmp_path):
    def answer(number, body):
        told = any("JSON schema" in message["content"] for message in body["messages"])
        return completion(GOOD if told else "prose")

    asked = [question(f"Question {index}") for index in range(6)]
    with RawServer(answer) as server:
        calls = Calls(chat(server.url, concurrency=1))
        with calls.recording(tmp_path / "calls.jsonl"):
            answers, sent = calls.ask(asked), len(server.bodies)
        fresh = Calls(chat(server.url, concurrency=1))  # knows nothing of what was learned
        with fresh.recording(tmp_path / "calls.jsonl"):
            assert fresh.ask(asked) == answers and len(server.bodies) == sent
    replay = Calls(chat(server.url), journal="replay")
    with replay.recording(tmp_path / "calls.jsonl"):
        assert replay.ask(asked) == answers


@pytest.mark.parametrize(
    "said",
    [
        "unsupported parameter: 'max_completion_tokens' is not supported with this model",
        "invalid schema for response_format 'items': in context=('properties', 'items'), 'minitems' is not permitted",
        "unknown field: response_format",
        "temperature must be 1 for this model",
    ],
)
def test_complaints_that_are_not_about_the_length(said):
    assert not about_length(said) and not about_limit(said) and room_in(said) is None
    assert about_format(said) == ("response_format" in said)


def test_limits_are_taken_from_what_is_said_and_not_from_names():
    assert limit_in("gpt-4-0613 takes at most 800 tokens since 2024-05-13", 4096) == 800
    assert limit_in("less, please", 64) == 32 and limit_in("less, please", 16) == 0
