"""What tests of environments share: calls to a chat model that a test writes."""

from contextlib import ExitStack

import pytest

from teachers.chat import Calls, OpenAIChat
from tests.llm_server import LLMServer


@pytest.fixture
def calls_to(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", LLMServer.key)
    with ExitStack() as servers:

        def make(brain, **settings):
            server = servers.enter_context(LLMServer(brain, faults=brain.fault))
            return Calls(OpenAIChat("test-model", base_url=server.url), **settings)

        yield make
