"""What the tests of chat models share: a schema, questions, and a chat model that speaks to the test server."""

import json

import pytest
from pydantic import BaseModel

from teachers.chat import OpenAIChat, Question
from teachers.chat.journal import total
from teachers.chat.meter import PriceTable
from teachers.chat.types import Usage

MODEL = "gpt-4o-mini"
KEY = "test-key-0123456789"


class Items(BaseModel):
    """A list of items."""

    items: list[str]


def question(text, schema=Items, **fields):
    return Question(text, schema, Items(items=["a"]), **{"purpose": "engine", "step": 1, **fields})


def questions(count, prefix="Write three items about"):
    return [question(f"{prefix} {index}.", item=index) for index in range(count)]


def chat(url, **settings):
    return OpenAIChat(MODEL, url, **{"max_tokens": 64, "timeout": 5.0, **settings})


def dollars(server):
    return PriceTable().of(MODEL).usd(Usage(*server.billed()))


def lost(calls):
    """Calls that may have been billed without a reply, and what they can have cost; part of no ``cost``."""
    rows = calls._shared.books.journal.lost.values()
    return {"usd": total([row["usd"] for row in rows]), "calls": len(rows)}


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def timeless(path):
    """The bytes of a journal without its only field that differs from run to run."""
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in lines(path)]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("teachers.chat.concurrency._FIRST_WAIT", 0.01)
