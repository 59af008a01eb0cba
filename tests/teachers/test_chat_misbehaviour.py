"""What endpoints do besides answering: each is read, asked again, put otherwise, or fails by its name and alone."""

import gzip
import itertools
import json
import time

import pytest
from chat_helpers import chat, key, question, quick  # noqa: F401
from raw_server import RawServer, completion, error, http

from teachers.chat import Calls, ChatError, EndpointError
from teachers.chat.schema import answer_part

pytestmark = pytest.mark.usefixtures("key", "quick")

GOOD = json.dumps({"items": ["good"]})
DRAFT = json.dumps({"items": ["draft"]})
HARMONY = f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>"


def events(*chunks, end="data: [DONE]\n\n"):
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return http(200, ": hello\n\n" + "".join(lines) + end, "text/event-stream")


def delta(text, **choice):
    return {"choices": [{"index": 0, "delta": {"content": text}, **choice}]}


def ask(server, count=2, **settings):
    calls = Calls(chat(server.url, concurrency=1, **{"max_attempts": 3, "timeout": 3.0, **settings}))
    return calls.ask([question(f"Question {index}") for index in range(count)]), calls.counters


def first(response):
    return RawServer(lambda number, body: response if number == 0 else completion(GOOD))


PARTS = [{"type": "reasoning", "text": DRAFT}, {"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}]
CALL = {"type": "function", "id": "1", "function": {"name": "Items", "arguments": GOOD}}

READ = {
    "content in parts": completion({"content": PARTS}),
    "content as strings in a list": completion({"content": [GOOD[:5], GOOD[5:]]}),
    "content as data": completion({"content": json.loads(GOOD)}),
    "arguments of a tool call": completion({"content": None, "tool_calls": [CALL]}, "tool_calls"),
    "arguments of a function call": completion({"function_call": CALL["function"]}),
    "think before": completion(f"<think>{DRAFT}</think>\n{GOOD}"),
    "think without its opening": completion(f"{DRAFT}</think>{GOOD}"),
    "think twice": completion(f"<think>a</think><think>{DRAFT}</think>{GOOD}"),
    "think in think": completion(f"<think>a <think>b</think> {DRAFT} </think>{GOOD}"),
    "thinking in capitals": completion(f"<Thinking>\n```json\n{DRAFT}\n```\n</Thinking>\n```json\n{GOOD}\n```"),
    "think of Mistral": completion(f"[THINK]{DRAFT}[/THINK]{GOOD}"),
    "think of Kimi": completion(f"◁think▷{DRAFT}◁/think▷{GOOD}"),
    "think of Seed": completion(f"<seed:think>{DRAFT}</seed:think>{GOOD}"),
    "thought and solution": completion(f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>{GOOD}"),
    "channels": completion(f"{HARMONY}{GOOD}<|return|>"),
    "channels without marks": completion(f"analysisWe need {DRAFT}.assistantfinal{GOOD}"),
    "reasoning in a field": completion({"content": GOOD, "reasoning_content": DRAFT, "reasoning": DRAFT}),
    "prose around": completion(f"Sure, here it is:\n{GOOD}\nAnything else?"),
    "events": events(delta(GOOD[:4]), delta(GOOD[4:], finish_reason="stop"), {"choices": [], "usage": {"x": 1}}),
    "events without an end": events(delta(GOOD), delta("", finish_reason="stop"), end=""),
    "usage of other types": completion(GOOD, usage={"prompt_tokens": "many", "completion_tokens": [1]}),
    "usage as a list": completion(GOOD, usage=[1]),
    "finish_reason of another type": completion(GOOD, finish_reason={"a": 1}),
    "compressed": http(
        200, gzip.compress(completion(GOOD).split(b"\r\n\r\n")[1]), headers="Content-Encoding: gzip\r\n"
    ),
    "text as its kind": http(200, completion(GOOD).split(b"\r\n\r\n")[1], "text/plain"),
    "a byte order mark in space": http(200, b"\n\n  " + completion(GOOD).split(b"\r\n\r\n")[1]),
}


@pytest.mark.parametrize("name", READ)
def test_is_read(name):
    with first(READ[name]) as server:
        answers, counters = ask(server)
    assert [answer.get().items for answer in answers] == [["good"], ["good"]]
    assert len(server.bodies) == 2 and not counters


ASKED_AGAIN = {
    "a page of HTML": (http(200, "<html>Welcome</html>", "text/html"), "broken_body"),
    "nothing": (http(200, ""), "broken_body"),
    "no body": (http(204, ""), "broken_body"),
    "no choices": (http(200, '{"choices": []}'), "broken_body"),
    "choices null": (http(200, '{"choices": null}'), "broken_body"),
    "choices a mapping": (http(200, '{"choices": {"0": 1}}'), "broken_body"),
    "a message of another type": (http(200, '{"choices": [{"message": "hello"}]}'), "broken_body"),
    "content of another type": (completion({"content": 12}), "broken_body"),
    "parts of another type": (completion({"content": [{"type": "text", "text": 5}]}), "broken_body"),
    "a refusal of another type": (completion({"content": GOOD, "refusal": [1]}), "broken_body"),
    "a tool call without arguments": (completion({"content": None, "tool_calls": [{"id": 1}]}), "broken_body"),
    "not UTF-8": (http(200, b"\xff\xfe{}"), "broken_body"),
    "nested without end": (http(200, "[" * 100_000), "broken_body"),
    "events that break off": (events(delta(GOOD[:6]), end=""), "broken_body"),
    "events with an error": (events(delta("x"), {"error": {"message": "oops"}}), "broken_body"),
    "events of another kind": (events({"choices": [{"delta": "text"}]}), "broken_body"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", "broken_body"),
    "headers without end": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        "broken_body",
    ),
    "chunks that are none": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc",
        "broken_body",
    ),
    "compressed garbage": (http(200, "abcde", headers="Content-Encoding: gzip\r\n"), "broken_body"),
    "garbage compressed under an error": (http(500, "abc", headers="Content-Encoding: gzip\r\n"), "broken_body"),
    "a body that breaks off": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\n{", "broken_body"),
    "closed without a word": (None, "connection"),
    "an error under 200": (http(200, '{"error": {"message": "overloaded", "code": 503}}'), "server_error"),
    "an error of a text under 200": (http(200, '{"error": "try later"}'), "server_error"),
    "a limit under 200": (http(200, '{"error": {"message": "slow down", "code": "429"}}'), "rate_limit"),
    "429 without a body": (http(429, ""), "rate_limit"),
    "500 in HTML": (http(500, "<h1>Oh</h1>", "text/html; charset=what"), "server_error"),
    "502": (http(502, "Bad gateway", "text/plain"), "server_error"),
    "503 while loading": (error(503, "Loading model"), "server_error"),
    "409": (error(409, "Conflict"), "server_error"),
    "501 from a gateway under way": (error(503, "model not ready; context length 4096"), "server_error"),
}


@pytest.mark.parametrize("name", ASKED_AGAIN)
def test_is_tried_again_under_its_name(name):
    response, reason = ASKED_AGAIN[name]
    with first(response) as server:
        answers, counters = ask(server)
    assert [answer.get().items for answer in answers] == [["good"], ["good"]]
    assert len(server.bodies) == 3 and counters[f"retries/{reason}"] == 1
    assert set(counters) <= {f"retries/{reason}", "lost"}


REASKED = {
    "null content": completion({"content": None}),
    "only reasoning": completion({"content": None, "reasoning_content": DRAFT}),
    "only parts of reasoning": completion({"content": [{"type": "thinking", "thinking": DRAFT}]}),
    "think without an end": completion(f"<think>I think {DRAFT}"),
    "think and nothing": completion(f"<think>{DRAFT}</think>"),
    "an answer before its thoughts": completion(f"<think>{DRAFT}</think> I cannot."),
    "channels without a final one": completion(f"<|channel|>analysis<|message|>{DRAFT}<|end|>"),
    "cut": completion(GOOD[:9], "length"),
    "cut in thought": completion(f"<think>{DRAFT}", "length"),
    "prose": completion("I would rather not."),
    "another form": completion('{"things": ["a"]}'),
    "a list alone": completion('["a"]'),
    "numbers for texts": completion('{"items": [1, 2]}'),
    "a tool call of prose": completion({"content": "", "tool_calls": [{"function": {"arguments": "hm"}}]}),
}


@pytest.mark.parametrize("name", REASKED)
def test_is_asked_again_with_what_was_wrong(name):
    with first(REASKED[name]) as server:
        answers, counters = ask(server)
    assert [answer.get().items for answer in answers] == [["good"], ["good"]]
    assert len(server.bodies) == 3 and counters == {"reasks": 1}
    assert not any("draft" in message["content"] for message in server.bodies[1]["messages"])


LONG = {
    "OpenAI": (400, "This model's maximum context length is 4097 tokens. However, your messages had 5000 tokens."),
    "OpenAI's limit by the minute": (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000"),
    "vLLM": (400, "This model's maximum context length is 4096 tokens. However, you requested 8192 tokens (8128 in the "
                  "messages, 64 in the completion). Please reduce the length of the messages or completion."),
    "vLLM, newer": (400, "The decoder prompt (length 9000) is longer than the maximum model length of 4096."),
    "llama.cpp": (400, "the request exceeds the available context size. try increasing the context size"),
    "llama.cpp, older": (500, "Input is too large to process: context size exceeded"),
    "Ollama": (400, "prompt too long; exceeded max context length by 12 tokens"),
    "Anthropic": (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    "LiteLLM": (400, "litellm.ContextWindowExceededError: litellm.BadRequestError: too many for this model"),
    "Mistral": (422, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"),
    "Gemini": (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    "Bedrock": (400, "Input is too long for requested model."),
    "TGI": (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3000 `inputs` "
                 "tokens and 64 `max_new_tokens`"),
    "SGLang": (400, "The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
    "a proxy": (413, "nope"),
    "under 200": (200, "context_length_exceeded"),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_prompt_that_is_too_long_fails_alone(name):
    status, said = LONG[name]

    def answer(number, body):
        return error(status, said) if "Question 1" in body["messages"][0]["content"] else completion(GOOD)

    with RawServer(answer) as server:
        answers, counters = ask(server, 3)
    assert [each.failure for each in answers] == [None, "too_long", None]
    assert len(server.bodies) == 3 and counters == {"failures/too_long": 1}
    assert answers[1].cause


ALONE = {
    "a refusal": (completion({"content": None, "refusal": "I cannot help with that."}), "refused"),
    "a filter": (completion("", "content_filter"), "refused"),
    "Azure's filter": (error(400, "triggering Azure OpenAI's content management policy"), "refused"),
    "a moderation": (error(403, "Your input was flagged"), "refused"),
    "what nobody knows": (error(400, "Bad things happened", param="messages"), "rejected"),
    "what nobody says": (http(400, ""), "rejected"),
    "422 of another framework": (http(422, '{"detail": [{"loc": ["body", "messages"], "msg": "odd"}]}'), "rejected"),
}


@pytest.mark.parametrize("name", ALONE)
def test_fails_alone(name):
    response, failure = ALONE[name]

    def answer(number, body):
        return response if "Question 1" in body["messages"][0]["content"] else completion(GOOD)

    with RawServer(answer) as server:
        answers, counters = ask(server, 5)
    assert [each.failure for each in answers] == [None, failure, None, None, None]
    assert len(server.bodies) == 5 and counters == {f"failures/{failure}": 1}


ENDS = {
    "403": (error(403, "Country not supported"), ChatError),
    "405": (http(405, ""), ChatError),
    "a redirection": (http(302, "", headers="Location: /elsewhere\r\n"), ChatError),
    "404 in HTML": (http(404, "<html>nginx</html>", "text/html"), ChatError),
    "402": (error(402, "Insufficient Balance"), EndpointError),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends_the_asking_in_one_line(name):
    response, kind = ENDS[name]
    with RawServer(lambda number, body: response) as server, pytest.raises(kind) as caught:
        ask(server, 20)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 1
    assert sum(body is not None for body in server.bodies) <= 3


@pytest.mark.parametrize("status", [200, 400])
def test_a_body_without_end_is_left(status):
    def endless(number, body):
        head = [f"HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n".encode()]
        return itertools.chain(head, itertools.repeat(b"x" * 2**16)) if number == 0 else completion(GOOD)

    with RawServer(endless) as server:
        answers, counters = ask(server, timeout=20.0)
    assert all(answer.value for answer in answers)
    assert counters == {"retries/broken_body": 1, "lost": 1}, "left by its size and not by the time"


def test_a_body_that_trickles_is_left():
    def trickling(number, body):
        def pieces():
            yield b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
            for _ in range(40):
                time.sleep(0.1)
                yield b" "

        return pieces() if number == 0 else completion(GOOD)

    with RawServer(trickling) as server:
        answers, counters = ask(server, count=1, timeout=0.5, max_attempts=20)
    assert answers[0].value and counters["retries/timeout"] >= 1


def test_what_endpoints_say_cannot_write_to_the_terminal():
    said = "\x1b[2J\x1b]0;owned\x07 line\r\nbreak \u202e test-key-0123456789"
    with RawServer(lambda number, body: error(503, said)) as server:
        (answer,), _ = ask(server, 1, max_attempts=1)
    assert answer.cause.isprintable() and "[API key]" in answer.cause
    with RawServer(lambda number, body: completion(said)) as server:
        (answer,), _ = ask(server, 1, max_attempts=1)
    assert answer.cause.isprintable() and "unusable reply" in answer.cause


def test_marks_inside_a_reply_are_no_drafts():
    for text in ('{"items": ["<think>", "</think>"]}', '{"items": ["<|channel|>"]}'):
        assert answer_part(text) == text
