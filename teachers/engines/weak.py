"""A procedural engine that is wrong about a share of its records: a weak teacher, offline."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tasks.base import Task, identity
from tasks.errors import ConfigurationError, check_range
from tasks.types import TrainingRecord
from teachers.batch import Batch
from teachers.engines.procedural import MAX_REDRAWS, ProceduralEngine, distinct
from teachers.plan import DataPlan


class WeakProceduralEngine(ProceduralEngine):
    """Makes the records of ProceduralEngine and spoils a share of them in the two ways of a weak language model.

    A *wrong* record has the response and answer of another question of its subskill: it agrees with itself, so only a
    task that can check an answer against its question, image or tests refuses it. A record *off target* asks a question
    of another skill under the labels that were ordered. The other records are the procedural engine's own, so the two
    teachers differ only in what was spoilt.

    Args:
        task: The task to teach.
        wrong: Share of wrong records, in [0, 1].
        off_target: Share of records off target, in [0, 1].
        skills: The skills whose records are spoilt; None for all.

    Raises:
        ConfigurationError: The task is not procedural, a share is out of range, they sum to more than 1, records of a
            task with a single skill are to be off target, or a skill is unknown.
    """

    def __init__(
        self, task: Task, wrong: float = 0.2, off_target: float = 0.2, skills: Sequence[str] | None = None
    ) -> None:
        super().__init__(task)
        check_range(type(self).__name__, 0, 1, wrong=wrong, off_target=off_target)
        if wrong + off_target > 1:
            raise ConfigurationError(
                f"WeakProceduralEngine: wrong is {wrong} and off_target {off_target}; they must sum to at most 1."
            )
        if off_target and len(self.task.skills()) < 2:
            raise ConfigurationError(
                f"WeakProceduralEngine: off_target is {off_target}, and {task.name} has no other skill: set it to 0."
            )
        for skill in skills or ():
            self.task.subskills(skill)  # raises for one that is unknown
        self.wrong = wrong
        self.off_target = off_target
        self.skills = skills

    def generate(self, plan: DataPlan) -> Batch:
        """The records of a plan, all questions distinct, a share of them spoilt.

        Raises:
            ConfigurationError: A spec names a skill, a subskill or an instance that the task does not have.
        """
        records = list(super().generate(plan))
        seen = {identity(record) for record in records}
        rng = plan.generator(len(plan.specs))  # apart from the specs' own: what is not hit stays the same
        for place, record in enumerate(records):
            fate = rng.random()
            if self.skills is not None and record.skill not in self.skills:
                continue
            if fate < self.wrong:
                records[place] = self._wrong(record, rng)
            elif fate < self.wrong + self.off_target:
                records[place] = self._off_target(record, rng, seen)
                seen.add(identity(records[place]))
        return Batch(tuple(records))

    def _wrong(self, record: TrainingRecord, rng: Random) -> TrainingRecord:
        """The record itself if its subskill has only one answer."""
        skill, subskill = _labels(record)
        instance = self.task.as_instance(record)
        for _ in range(MAX_REDRAWS):
            other = self.task.record(skill, subskill, rng)
            if self.task.score(instance, other.response) < 1.0:
                source = f"{record.source}, wrong: answers another question"
                return replace(other, instruction=record.instruction, image=record.image, source=source)
        return record

    def _off_target(self, record: TrainingRecord, rng: Random, seen: set[str]) -> TrainingRecord:
        """The record itself if no new question is found."""
        skill, subskill = _labels(record)
        other = rng.choice([pair for pair in self.task.subskill_pairs() if pair[0] != skill])
        stray = distinct(lambda rng: self.task.record(*other, rng), rng, seen)
        if stray is None:
            return record
        source = f"{record.source}, off target: asks {'/'.join(other)}"
        return replace(stray, skill=skill, subskill=subskill, source=source)


def _labels(record: TrainingRecord) -> tuple[str, str]:
    assert record.skill is not None and record.subskill is not None, "a procedural record has both"
    return record.skill, record.subskill
