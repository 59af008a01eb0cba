"""The offline engine: carries out a plan with the task's own generator, with verified answers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from tasks.base import ProceduralTask, Task, identity
from tasks.errors import ConfigurationError
from tasks.types import TrainingRecord
from teachers.batch import Batch
from teachers.plan import DataPlan, DataSpec
from teachers.teacher import Engine

# How often a record is drawn again because the plan has its question already. A subskill that still repeats itself
# after that is nearly used up; the records it falls short by are visible in the step's count.
MAX_REDRAWS = 50

Draw = Callable[[Random], TrainingRecord]


class ProceduralEngine(Engine):
    """Makes records with a procedural task.

    A spec without a subskill is dealt evenly over the skill's subskills, one without a skill over all subskills of
    the task; whose turn comes first is drawn, so that a small order is not always the first ones'.
    """

    def __init__(self, task: Task) -> None:
        if not isinstance(task, ProceduralTask):
            raise ConfigurationError(
                f"ProceduralEngine needs a procedural task, and {task.name} is none: choose another teacher.engine."
            )
        self.task = task

    def generate(self, plan: DataPlan) -> Batch:
        """The records of a plan, all questions distinct; fewer than ordered where a subskill repeats itself.

        Raises:
            ConfigurationError: A spec names a skill, a subskill or an instance that the task does not have.
        """
        records: list[TrainingRecord] = []
        seen: set[str] = set()
        for index, spec in enumerate(plan.specs):
            rng = plan.generator(index)
            pairs = [] if spec.like is not None else self._pairs(spec)
            rng.shuffle(pairs)
            for turn in range(spec.count):
                if spec.like is not None:
                    source = f"procedural: like {spec.like}"
                    draw = partial(self.task.similar_record, spec.like)
                else:
                    source = f"procedural: {'/'.join(pairs[turn % len(pairs)])}"
                    draw = partial(self.task.record, *pairs[turn % len(pairs)])
                record = distinct(draw, rng, seen)
                if record is not None:
                    seen.add(identity(record))
                    records.append(replace(record, source=source))
        return Batch(tuple(records))

    def _pairs(self, spec: DataSpec) -> list[tuple[str, str]]:
        if spec.skill is None:
            return self.task.subskill_pairs()
        known = self.task.subskills(spec.skill)
        if spec.subskill is None:
            return [(spec.skill, subskill) for subskill in known]
        if spec.subskill not in known:
            raise ConfigurationError(
                f"{self.task.name} has no subskill {spec.subskill!r} of {spec.skill!r}; it has {', '.join(known)}."
            )
        return [(spec.skill, spec.subskill)]


def distinct(draw: Draw, rng: Random, seen: set[str]) -> TrainingRecord | None:
    """A record whose question is not among those seen; None if ``MAX_REDRAWS`` draws do not find one."""
    for _ in range(MAX_REDRAWS):
        record = draw(rng)
        if identity(record) not in seen:
            return record
    return None
