"""Which records enter the pool: every record is accepted, or rejected with a named reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from environments.results import Rejection
from tasks.base import Task, normalise_text
from tasks.types import TrainingRecord


class Intake:
    """Checks records against the task, the pool and the plan.

    Args:
        task: Scores a record's response against its own answer, and knows the evaluation instances.
    """

    def __init__(self, task: Task) -> None:
        self._task = task

    def check(
        self, records: Sequence[TrainingRecord], pool: Iterable[TrainingRecord], ordered: int
    ) -> tuple[list[TrainingRecord], list[Rejection]]:
        """The accepted and the rejected ones of a batch, each in the order of the batch.

        Args:
            records: What an engine made for a plan.
            pool: What the student will be trained on besides.
            ordered: How many records the plan ordered; further ones are over budget.
        """
        seen = {normalise_text(record.instruction) for record in pool}
        accepted: list[TrainingRecord] = []
        rejected: list[Rejection] = []
        for record in records:
            reason = self._fault(record, seen)
            if reason is None and len(accepted) >= ordered:
                reason = "over_budget"
            if reason is None:
                seen.add(normalise_text(record.instruction))
                accepted.append(record)
            else:
                rejected.append(Rejection(record, reason))
        return accepted, rejected

    def _fault(self, record: TrainingRecord, seen: set[str]) -> str | None:
        texts = (record.instruction, record.response, record.answer)
        if not all(isinstance(text, str) and text.strip() for text in texts):
            return "schema"
        if not all(isinstance(name, str | None) for name in (record.skill, record.subskill)):
            return "schema"
        question = normalise_text(record.instruction)
        if question in self._evaluated:
            return "leak"
        if question in seen:
            return "duplicate"
        if self._task.score(self._task.as_instance(record), record.response) < 1.0:
            return "answer_mismatch"
        return None

    @cached_property
    def _evaluated(self) -> frozenset[str]:
        instances = (*self._task.instances("val"), *self._task.instances("test"))
        return frozenset(normalise_text(instance.instruction) for instance in instances)
