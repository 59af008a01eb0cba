"""A real HTTP server that speaks the OpenAI protocol, for tests: in a thread, or as a process that can be killed.

    python tests/llm_server.py --port 0 --brain llm_server:echo_brain --latency 0.5

A *brain* makes the text of a reply from the body of a request. Around it the server is as unreliable as it is told to
be. Which fault a request meets depends on the seed, its content and how often it was sent: never on order or time.
The process prints its address as one line of JSON, and ends when its standard input does.
"""

import argparse
import asyncio
import base64
import hashlib
import importlib
import json
import math
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

FAULTS = {
    "rate_limit": "429 without Retry-After",
    "rate_limit_wait": "429 with Retry-After",
    "quota": "429 with code insufficient_quota",
    "server_error": "500",
    "gateway_timeout": "504",
    "hang": "billed, and no answer for hang_seconds",
    "truncated": "billed, and the body breaks off",
    "broken_json": "billed, and the body is not JSON",
    "disconnect": "billed, and the connection is closed without an answer",
    "malformed_text": "the reply is cut off in the middle of its JSON",
    "wrong_schema": "the reply is JSON of another shape",
    "too_few": "the reply's list lacks half of its items",
    "too_many": "the reply's list has its items and copies of them with other words",
    "duplicates": "the reply's list repeats its first item",
    "cut": "the reply stops at half with finish_reason length",
    "refused": "finish_reason content_filter",
    "filtered": "400 with code content_filter",
    "no_usage": "the reply has no usage",
}
# What an endpoint does that is out of order as a whole.
OUTAGES = {"loading": "503 with the words of a server that loads its model", "garbage": "200 and a page of HTML"}
UNBILLED = {
    *("rate_limit", "rate_limit_wait", "quota", "server_error", "gateway_timeout", "filtered"),
    *OUTAGES,
}


def tokens(text):
    """What the server bills: a token for each begun four bytes."""
    return math.ceil(len(text.encode()) / 4)


def echo_brain(body):
    asked = [message["content"] for message in body["messages"] if message["role"] == "user"]
    name = hashlib.sha256(asked[0].encode()).hexdigest()[:8]
    return json.dumps({"items": [f"{name}-{index}" for index in range(3)]})


@dataclass
class LLMServer:
    """The server; a context manager that runs it in a thread.

    ``faults`` is a share for each kind, or a function of (body, attempt) that names a kind or returns None.
    """

    brain: object = echo_brain
    key: str | None = "test-key-0123456789"
    latency: float = 0.0
    faults: object = field(default_factory=dict)
    seed: int = 0
    refuse: tuple = ()  # of json_schema, json_object, max_completion_tokens, temperature, system
    ignore: tuple = ()  # of max_completion_tokens, response_format
    honour_idempotency: bool = False
    hang_seconds: float = 30.0
    retry_after: str = "0.05"
    echo_key: bool = False
    models: tuple | None = None  # others are 404
    log_path: str | None = None
    port: int = 0

    def __post_init__(self):
        self.log = []
        self.bodies = []
        self.in_flight = self.most_in_flight = 0
        self._attempts = Counter()
        self._answered = {}
        self._log_file = open(self.log_path, "a", encoding="utf-8", buffering=1) if self.log_path else None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def azure_url(self):
        return f"http://127.0.0.1:{self.port}"

    def billed(self):
        rows = list(self.log)
        return sum(row["input"] for row in rows), sum(row["output"] for row in rows)

    def statuses(self):
        return Counter(row["status"] for row in list(self.log))

    def kinds(self):
        return Counter(row["kind"] for row in list(self.log))

    def __enter__(self):
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _serve(self, ready):
        asyncio.run(self._main(ready))

    async def _main(self, ready=None):
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/openai/deployments/{model}/chat/completions", self._chat)
        app.router.add_post("/v1/images/generations", self._image)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        if ready is not None:
            ready.set()
        await self._stopping.wait()
        await runner.cleanup()

    async def _models(self, request):
        names = self.models or ("test-model",)
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    async def _image(self, request):
        """A square of one colour for each description."""
        import io

        from PIL import Image

        colour = "#" + hashlib.sha256((await request.json())["prompt"].encode()).hexdigest()[:6]
        content = io.BytesIO()
        Image.new("RGB", (32, 32), colour).save(content, "PNG")
        return web.json_response({"created": 0, "data": [{"b64_json": base64.b64encode(content.getvalue()).decode()}]})

    def _write(self, row, body):
        self.log.append(row)
        self.bodies.append(body)
        if self._log_file:
            self._log_file.write(json.dumps(row) + "\n")

    def _error(self, status, message, code=None, param=None, headers=None):
        error = {"message": message, "type": code or "error", "code": code, "param": param}
        return web.json_response({"error": error}, status=status, headers=headers)

    async def _chat(self, request):
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._answer(request, await request.json())
        finally:
            self.in_flight -= 1

    async def _answer(self, request, body):
        given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.headers.get("api-key", "")
        name = request.headers.get("Idempotency-Key", "")
        digest = hashlib.sha256(json.dumps([body, name], sort_keys=True).encode()).hexdigest()
        row = {"hash": digest, "key": name, "status": 200, "kind": None, "input": 0, "output": 0, "time": time.time()}
        refusal = self._refusal(request, body, given)
        if refusal is not None:
            self._write({**row, "status": refusal.status, "kind": "refusal"}, body)
            return refusal
        attempt = self._attempts[digest]
        self._attempts[digest] += 1
        kind = row["kind"] = self._fault(body, digest, attempt)
        if self.honour_idempotency and name in self._answered:
            self._write({**row, "kind": "repeated"}, body)
            return web.json_response(self._answered[name])
        if kind in UNBILLED:
            response = self._unbilled(kind, given)
            self._write({**row, "status": response.status}, body)
            return response
        completion = self._completion(body, kind, given)
        usage = completion["usage"]
        row |= {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]}
        self._write(row, body)  # billed from here on, whether or not anybody waits for the end
        if kind == "no_usage":
            del completion["usage"]
        self._answered[name] = completion
        return await self._send(request, completion, kind)

    async def _send(self, request, completion, kind):
        await asyncio.sleep(self.hang_seconds if kind == "hang" else self.latency)
        text = json.dumps(completion)
        if kind == "disconnect":
            request.transport.close()
            return web.Response()
        if kind == "broken_json":
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        if kind == "truncated":
            response = web.StreamResponse(
                headers={"Content-Length": str(len(text)), "Content-Type": "application/json"}
            )
            await response.prepare(request)
            await response.write(text[: len(text) // 2].encode())
            request.transport.close()
            return response
        return web.Response(text=text, content_type="application/json")

    def _refusal(self, request, body, given):
        if self.key is not None and given != self.key:
            said = given if self.echo_key else given[:4] + "***"
            return self._error(401, f"Incorrect API key provided: {said}", "invalid_api_key")
        model = request.match_info.get("model", body["model"])
        if self.models is not None and model not in self.models:
            return self._error(404, f"The model {model} does not exist", "model_not_found")
        kind = body.get("response_format", {}).get("type")
        if kind in self.refuse:
            return self._error(400, f"response_format of type {kind} is not supported", param="response_format")
        for name in ("max_completion_tokens", "max_tokens", "temperature"):
            if name in body and name in self.refuse:
                return self._error(400, f"Unsupported parameter: {name}", "unsupported_parameter", name)
        if "system" in self.refuse and any(message["role"] == "system" for message in body["messages"]):
            return self._error(400, "System role not supported")
        return None

    def _fault(self, body, digest, attempt):
        if callable(self.faults):
            return self.faults(body, attempt)
        draw = random.Random(f"{self.seed}/{digest}/{attempt}").random()
        for kind, share in self.faults.items():
            assert kind in FAULTS | OUTAGES, kind
            if draw < share:
                return kind
            draw -= share
        return None

    def _unbilled(self, kind, given):
        note = f" (key {given})" if self.echo_key else ""
        if kind == "rate_limit_wait":
            return self._error(429, "Slow down" + note, headers={"Retry-After": self.retry_after})
        if kind == "rate_limit":
            return self._error(429, "Slow down" + note)
        if kind == "quota":
            return self._error(429, "You exceeded your quota" + note, "insufficient_quota")
        if kind == "loading":
            return self._error(503, "Loading model", "unavailable_error")
        if kind == "garbage":
            return web.Response(text="<html><body>Welcome to nginx!</body></html>", content_type="text/html")
        if kind == "filtered":
            return self._error(400, "The prompt was filtered" + note, "content_filter")
        return self._error(500 if kind == "server_error" else 504, "Out of order" + note)

    def _thought(self, body):
        """What the brain says; prose where a ``response_format`` that is ignored is the only place of the schema."""
        if "response_format" in self.ignore and not any("JSON schema" in m["content"] for m in body["messages"]):
            return "Of course! Here is what I would suggest, in some words of my own."
        return self.brain(body)

    def _completion(self, body, kind, given):
        text, reason = spoil(self._thought(body), kind), "stop"
        if self.echo_key:
            text = text.replace("{{key}}", given)
        if kind == "cut":
            text, reason = text[: len(text) // 2], "length"
        if kind == "refused":
            text, reason = "", "content_filter"
        limits = [
            body[name] for name in ("max_completion_tokens", "max_tokens") if name in body.keys() - set(self.ignore)
        ]
        if limits and tokens(text) > limits[0]:
            text, reason = text.encode()[: 4 * limits[0]].decode(errors="ignore"), "length"
        asked = "".join(message["content"] for message in body["messages"]) + json.dumps(
            body.get("response_format", "")
        )
        usage = {"prompt_tokens": tokens(asked), "completion_tokens": tokens(text)}
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            "id": "chatcmpl-test",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {**usage, "total_tokens": sum(usage.values())},
        }


def spoil(text, kind):
    if kind == "malformed_text":
        return text[: max(len(text) * 2 // 3, 1)]
    if kind == "wrong_schema":
        return json.dumps({"unexpected": "shape"})
    if kind not in ("too_few", "too_many", "duplicates"):
        return text
    reply = json.loads(text)
    name = next((name for name, value in reply.items() if isinstance(value, list) and value), None)
    if name is None:
        return text
    items = reply[name]
    if kind == "too_few":
        reply[name] = items[: len(items) // 2]
    elif kind == "too_many":
        reply[name] = items + [_reworded(item) for item in items]
    else:
        reply[name] = [items[0]] * len(items)
    return json.dumps(reply)


def _reworded(item):
    if isinstance(item, dict):
        return {name: _reworded(value) for name, value in item.items()}
    return item.replace("e", "3") if isinstance(item, str) else item


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--brain", default="llm_server:echo_brain", help="module:function")
    parser.add_argument("--key", default="test-key-0123456789")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", type=json.loads, default={}, help='e.g. {"rate_limit": 0.1}')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--refuse", nargs="*", default=())
    parser.add_argument("--ignore", nargs="*", default=())
    parser.add_argument("--honour_idempotency", action="store_true")
    parser.add_argument("--hang_seconds", type=float, default=30.0)
    parser.add_argument("--retry_after", default="0.05")
    parser.add_argument("--log", help="file that takes a line for each request")
    words = parser.parse_args()
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    module, function = words.brain.split(":")
    server = LLMServer(
        getattr(importlib.import_module(module), function),
        words.key,
        words.latency,
        words.faults,
        words.seed,
        tuple(words.refuse),
        tuple(words.ignore),
        honour_idempotency=words.honour_idempotency,
        hang_seconds=words.hang_seconds,
        retry_after=words.retry_after,
        log_path=words.log,
        port=words.port,
    )
    with server:
        print(json.dumps({"url": server.url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
