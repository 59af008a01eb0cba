"""What a teacher would ask, counted and not sent: the calls of a dry run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from teachers.chat.types import Answer, Question, Reply

# Bytes of a token. Byte-pair vocabularies of chat models take some 4 for English prose and fewer for formulas and
# JSON; prompts here are a mixture.
_BYTES_PER_TOKEN = 3.5


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -int(-len(text.encode()) // _BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Expected:
    """One call that would have been made."""

    purpose: str
    step: int
    model: str
    input: int
    output: int
    usd: float | None


@dataclass
class Rehearsal:
    """The calls of a dry run.

    Args:
        calls: In the order in which they would have been made.
    """

    calls: list[Expected] = field(default_factory=list)

    def answer(
        self, questions: Sequence[Question[Reply]], model: str, price: Mapping[str, float] | None
    ) -> list[Answer[Reply]]:
        """Counts questions and answers each with its example.

        Args:
            questions: What is asked.
            model: The model that would be asked.
            price: Its dollars per million tokens, ``input`` and ``output``; None if unknown.
        """
        for question in questions:
            schema = str(question.schema.model_json_schema())
            asked = estimate_tokens(question.system + question.prompt + schema)
            replied = estimate_tokens(question.example.model_dump_json())
            usd = None if price is None else (asked * price["input"] + replied * price["output"]) / 1e6
            self.calls.append(Expected(question.purpose, question.step, model, asked, replied, usd))
        return [Answer(question.example) for question in questions]

    def sums(self) -> dict[str, dict[str, Any]]:
        """Calls, input and output tokens and dollars by purpose, and of all under ``total``."""
        purposes = dict.fromkeys(call.purpose for call in self.calls)
        return {
            name: _sum([call for call in self.calls if name in (call.purpose, "total")])
            for name in (*purposes, "total")
        }


def _sum(calls: Sequence[Expected]) -> dict[str, Any]:
    dollars = [call.usd for call in calls]
    return {
        "calls": len(calls),
        "input": sum(call.input for call in calls),
        "output": sum(call.output for call in calls),
        "usd": None if None in dollars else sum(usd for usd in dollars if usd is not None),
    }
