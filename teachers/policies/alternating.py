"""Explore and pause in turn: new subskills get records once, then make room for the next ones."""

from __future__ import annotations

from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import SkillTree, SkillTreeObservation
from teachers.plan import Exploit, TreeAction
from teachers.policies.skill_tree import Growth, SkillTreePolicy, pause, set_allocations


class AlternatingPolicy(SkillTreePolicy):
    """After an exploration, no records at all; after that, the next exploration.

    Once the proposer has nothing new, the known subskills take the place of new ones.

    Args:
        task: The task to teach.
        new_subskills: Subskills that an exploration asks for.
        records_each: Records for each of them.
        max_data_for_skill: Records after which a skill gets no more; None for no limit.
        hard: Whether explorations shrink to fit that limit. If False, the last one goes over it, as in
            DataEnvGym's original code: 2 subskills of 30 records and a limit of 200 end at 240, not 200.
        settings: Those of SkillTreePolicy: proposer, chat, initial_subskills and initial_records.

    Raises:
        ConfigurationError: A number is not positive.
    """

    def __init__(
        self,
        task: Task,
        new_subskills: int = 2,
        records_each: int = 30,
        max_data_for_skill: int | None = None,
        hard: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(task, new_subskills=new_subskills, records_each=records_each, **settings)
        check_range(type(self).__name__, max_data_for_skill=max_data_for_skill)
        self.max_data_for_skill = max_data_for_skill
        self.hard = hard

    def _begin(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        return self._grow(tree, self.initial_subskills, self.initial_records)

    def _act_on(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        if any(node.allocation for node in tree.subskills):
            return pause(tree)
        return self._grow(tree, self.new_subskills, self.records_each)

    def _grow(self, tree: SkillTree, count: int, each: int) -> TreeAction | Growth:
        left = self._left(tree)
        if left is not None and left <= 0:
            return pause(tree)
        if left is not None and self.hard:
            count = min(count, left)
            each = min(each, left // count)
        return Growth(count, each, otherwise=self._revive(tree, count, each) if tree.subskills else None)

    def _revive(self, tree: SkillTree, count: int, each: int) -> Exploit:
        least_taught = sorted(tree.subskills, key=lambda node: node.generated)[:count]
        return set_allocations(tree, {node.name: each for node in least_taught})

    def _left(self, tree: SkillTree) -> int | None:
        return None if self.max_data_for_skill is None else self.max_data_for_skill - tree.generated
