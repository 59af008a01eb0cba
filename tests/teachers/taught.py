"""A small task with texts for language models, and calls to a model that answers out of the task itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from llm_server import LLMServer

from tasks.base import Task
from tasks.prompting import DomainText, PlainRecord, RecordStage
from teachers.chat import Calls, OpenAIChat
from teachers.teacher import make_part
from tests.environments.toy import ToyTask

Brain = Callable[[dict[str, Any]], str]

EXAMPLE = {"instruction": "skill0 sub0: say 7", "response": "7", "answer": "7"}


class TaughtToyTask(ToyTask):
    @property
    def domain_text(self) -> DomainText:
        return DomainText("You teach saying.", "saying numbers", (RecordStage("Write it.", PlainRecord, EXAMPLE),))


class Heard:
    """What a model was asked, in the order in which it came; ``calls`` are those of the teacher."""

    def __init__(self, server: LLMServer, calls: Calls) -> None:
        self._server = server
        self.calls = calls

    def part(self, make: Callable[..., Any], task: Task, **settings: Any) -> Any:
        return make_part(partial(make, **settings), task, chat=self.calls)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return list(self._server.bodies)

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][1]["content"] for body in self.bodies]

    def of(self, schema: str) -> list[str]:
        """The prompts of questions with this schema, re-asks left out."""
        bodies = [body for body in self.bodies if len(body["messages"]) == 2]
        return [b["messages"][1]["content"] for b in bodies if b["response_format"]["json_schema"]["name"] == schema]


@contextmanager
def taught_by(
    brain: Brain, concurrency: int = 1, latency: float = 0.0, faults: Any = None, **settings: Any
) -> Iterator[Heard]:
    """A server with this brain, and a teacher's calls to it; one call at a time, so in order."""
    with LLMServer(brain, latency=latency, faults=faults or {}) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_CHAT_KEY", server.key)
        chat = OpenAIChat("test-model", server.url, "TEST_CHAT_KEY", temperature=0.0, concurrency=concurrency)
        calls = Calls(chat, **settings)
        yield Heard(server, calls)


def saying(*replies: Any) -> Brain:
    """A brain that gives these replies in turn, and then the last one for ever; what is no text becomes JSON."""
    left = list(replies)

    def brain(body: dict[str, Any]) -> str:
        reply = left.pop(0) if len(left) > 1 else left[0]
        return reply if isinstance(reply, str) else json.dumps(reply)

    return brain
