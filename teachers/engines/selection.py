"""The engine that writes nothing and selects from the benchmark's own training data: an upper bound for writing."""

from collections.abc import Sequence
from dataclasses import replace

from tasks.base import Task, identity
from tasks.types import TrainingRecord
from teachers.batch import Batch, Drop
from teachers.engines.order import screened
from teachers.plan import DataPlan, DataSpec
from teachers.teacher import Engine


class SelectionEngine(Engine):
    """Draws records from the task's training pool, none twice in an episode.

    A spec's skill and subskill are taken by name, and ``like`` as the skill of that instance; descriptions are not
    read. Where the pool has too few records of that name, fewer are handed over.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._pool = [replace(record, source="selected from the training pool") for record in task.training_pool()]

    def generate(self, plan: DataPlan) -> Batch:
        """Records of the pool in an order drawn for each spec, without those that the environment would refuse."""
        seen: set[str] = set()
        records: list[TrainingRecord] = []
        dropped: list[Drop] = []
        for index, spec in enumerate(plan.specs):
            candidates = [record for record in self._of(spec) if identity(record) not in seen]
            plan.generator(index).shuffle(candidates)
            chosen = self._screened(plan, spec, records, candidates, dropped)
            seen.update(identity(record) for record in chosen)
            records += chosen
        return Batch(tuple(records), tuple(dropped))

    def _screened(
        self,
        plan: DataPlan,
        spec: DataSpec,
        accepted: Sequence[TrainingRecord],
        candidates: Sequence[TrainingRecord],
        dropped: list[Drop],
    ) -> list[TrainingRecord]:
        chosen: list[TrainingRecord] = []
        start = 0
        while len(chosen) < spec.count and start < len(candidates):
            piece = candidates[start : start + spec.count - len(chosen)]
            start += len(piece)
            verdicts = screened(plan.screen, [*accepted, *chosen], piece)
            for record, reason in zip(piece, verdicts, strict=True):
                if reason is None:
                    chosen.append(record)
                elif reason != "duplicate":  # what the student has already was never a candidate
                    dropped.append(Drop(reason, record.instruction, record.skill, record.subskill))
        return chosen

    def _of(self, spec: DataSpec) -> list[TrainingRecord]:
        skill, subskill = spec.skill, spec.subskill
        if skill is None and spec.like is not None:
            like = (one for one in self.task.instances("val") if one.instance_id == spec.like)
            skill = next(map(self.task.skill_of, like), None)
        return [
            record
            for record in self._pool
            if (skill is None or record.skill == skill) and (subskill is None or record.subskill == subskill)
        ]
