"""What a filter is, and the exact ones: schema, leak, duplicate, and what the task itself finds wrong."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tasks.base import Asked, Task, identity
from tasks.types import TaskInstance, TrainingRecord

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """What speaks against a record: a counter's name, and what exactly was found, for people (may be empty)."""

    reason: str
    detail: str = ""


class Filter(ABC):
    """One reason to keep a record out of the pool.

    A record reaches a filter only if the filters before it found nothing; ``SchemaFilter`` is always the first.
    """

    @abstractmethod
    def finding(self, record: TrainingRecord) -> Finding | None:
        """What speaks against the record; None if nothing does."""


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
    for instance in task.instances("val"):
        yield f"val instance {instance.instance_id}", instance
    for instance in task.instances("test"):
        yield f"test instance {instance.instance_id}", instance


def picture(item: Asked) -> str:
    """What tells the image of an item from others; the same question about another image is another question."""
    return "" if item.image is None else item.image.digest


def shorten(text: str) -> str:
    """A text in one line of a length that people read."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


class SchemaFilter(Filter):
    """A record's texts are texts, and not empty."""

    def finding(self, record: TrainingRecord) -> Finding | None:
        """Which field is at fault."""
        for name in ("instruction", "response", "answer"):
            text = getattr(record, name)
            if not isinstance(text, str) or not text.strip():
                return Finding("schema", f"{name} is {shorten(repr(text))}")
        for name in ("skill", "subskill"):
            if not isinstance(getattr(record, name), str | None):
                return Finding("schema", f"{name} is {shorten(repr(getattr(record, name)))}")
        return None


class LeakFilter(Filter):
    """The question is no evaluation instance's, except for case and white space."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def finding(self, record: TrainingRecord) -> Finding | None:
        """Which instance it is."""
        name = self._evaluated.get(identity(record))
        return None if name is None else Finding("leak", f"is {name}")

    @cached_property
    def _evaluated(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, instance in evaluation_instances(self._task):
            found.setdefault(identity(instance), name)
        return found


class DuplicateFilter(PoolFilter):
    """The question is not in the pool or the batch already, except for case and white space."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def finding(self, record: TrainingRecord) -> Finding | None:
        """Which record it equals."""
        number = self._first.get(identity(record))
        return None if number is None else Finding("duplicate", f"asks what record {number} asks")

    def add(self, number: int, record: TrainingRecord) -> None:
        """Remembers the question."""
        self._first.setdefault(identity(record), number)

    def forget(self, number: int, record: TrainingRecord) -> None:
        """Forgets the question, unless an earlier record asks it too."""
        if self._first.get(identity(record)) == number:
            del self._first[identity(record)]


class TaskFilter(Filter):
    """The task finds no fault with the record; the response has to score 1 against its own answer, for one."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def finding(self, record: TrainingRecord) -> Finding | None:
        """The fault, under the task's name for it."""
        reason = self._task.fault_of(record)
        if reason is None:
            return None
        mismatch = f"the response does not arrive at {shorten(record.answer)!r}"
        return Finding(reason, mismatch if reason == "answer_mismatch" else "")
