"""What a filter is, and the exact ones: schema, leak, duplicate, answer mismatch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import ClassVar

from tasks.base import Task, normalise_text
from tasks.types import TaskInstance, TrainingRecord

_SHOWN = 80


class Filter(ABC):
    """One reason to keep a record out of the pool.

    A record reaches a filter only if the filters before it found nothing; ``SchemaFilter`` is always the first.
    """

    reason: ClassVar[str]

    @abstractmethod
    def finding(self, record: TrainingRecord) -> str | None:
        """What speaks against the record, in words for people; None if nothing does."""


class PoolFilter(Filter):
    """A filter that compares a record with those accepted before it."""

    @abstractmethod
    def add(self, number: int, record: TrainingRecord) -> None:
        """Takes an accepted record in; numbers count up from 1."""

    @abstractmethod
    def forget(self, number: int, record: TrainingRecord) -> None:
        """Undoes the last ``add``."""


def evaluation_instances(task: Task) -> Iterator[tuple[str, TaskInstance]]:
    """Every evaluation instance of a task, with what to call it."""
    for split in ("val", "test"):
        for instance in task.instances("val" if split == "val" else "test"):
            yield f"{split} instance {instance.instance_id}", instance


def shorten(text: str) -> str:
    """A text in one line of a length that people read."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


class SchemaFilter(Filter):
    """A record's texts are texts, and not empty."""

    reason = "schema"

    def finding(self, record: TrainingRecord) -> str | None:
        """Which field is at fault."""
        for name in ("instruction", "response", "answer"):
            text = getattr(record, name)
            if not isinstance(text, str) or not text.strip():
                return f"{name} is {shorten(repr(text))}"
        for name in ("skill", "subskill"):
            if not isinstance(getattr(record, name), str | None):
                return f"{name} is {shorten(repr(getattr(record, name)))}"
        return None


class LeakFilter(Filter):
    """The question is no evaluation instance's, but for case and white space.

    Args:
        task: Knows the evaluation instances.
    """

    reason = "leak"

    def __init__(self, task: Task) -> None:
        self._task = task

    def finding(self, record: TrainingRecord) -> str | None:
        """Which instance it is."""
        name = self._evaluated.get(normalise_text(record.instruction))
        return None if name is None else f"is {name}"

    @cached_property
    def _evaluated(self) -> dict[str, str]:
        return {normalise_text(instance.instruction): name for name, instance in evaluation_instances(self._task)}


class DuplicateFilter(PoolFilter):
    """The question is not in the pool or the batch already, but for case and white space."""

    reason = "duplicate"

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def finding(self, record: TrainingRecord) -> str | None:
        """Which record it equals."""
        number = self._first.get(normalise_text(record.instruction))
        return None if number is None else f"asks what record {number} asks"

    def add(self, number: int, record: TrainingRecord) -> None:
        """Remembers the question."""
        self._first.setdefault(normalise_text(record.instruction), number)

    def forget(self, number: int, record: TrainingRecord) -> None:
        """Forgets the question, unless an earlier record asks it too."""
        question = normalise_text(record.instruction)
        if self._first.get(question) == number:
            del self._first[question]


class AnswerFilter(Filter):
    """The response scores 1 against the record's own answer.

    Args:
        task: Scores.
    """

    reason = "answer_mismatch"

    def __init__(self, task: Task) -> None:
        self._task = task

    def finding(self, record: TrainingRecord) -> str | None:
        """What the response scores."""
        score = self._task.score(self._task.as_instance(record), record.response)
        return None if score >= 1.0 else f"the response scores {score:g} against {shorten(record.answer)!r}"
