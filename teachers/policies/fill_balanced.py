"""Grow the tree to its full width first, then fill every subskill to the same number of records."""

from __future__ import annotations

from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import SkillTree, SkillTreeObservation
from teachers.plan import TreeAction
from teachers.policies.skill_tree import Growth, SkillTreePolicy, pause, set_allocations


def next_allocation(generated: int, max_data: int, max_allocation: int) -> int:
    """What a subskill that has so many records gets in the next call, to end at exactly ``max_data``."""
    return min(max(0, max_data - generated), max_allocation)


class FillBalancedPolicy(SkillTreePolicy):
    """Explores and pauses in turn until a tree is full, then fills its subskills alike.

    Args:
        task: The task to teach.
        max_subskills: Subskills of a full tree; a tree is also full when the proposer has nothing new.
        max_data_per_subskill: Records that each subskill ends with.
        max_allocation_per_subskill: Records that each subskill gets at most in one call.
        new_subskills: Subskills that an exploration asks for.
        records_each: Records for each of them.
        settings: Those of SkillTreePolicy: proposer, chat, initial_subskills and initial_records.

    Raises:
        ConfigurationError: A number is not positive.
    """

    def __init__(
        self,
        task: Task,
        max_subskills: int = 10,
        max_data_per_subskill: int = 60,
        max_allocation_per_subskill: int = 20,
        new_subskills: int = 5,
        records_each: int = 2,
        **settings: Any,
    ) -> None:
        super().__init__(task, new_subskills=new_subskills, records_each=records_each, **settings)
        check_range(
            type(self).__name__,
            max_subskills=max_subskills,
            max_data_per_subskill=max_data_per_subskill,
            max_allocation_per_subskill=max_allocation_per_subskill,
        )
        self.max_subskills = max_subskills
        self.max_data_per_subskill = max_data_per_subskill
        self.max_allocation_per_subskill = max_allocation_per_subskill

    def _begin(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        return Growth(min(self.initial_subskills, self.max_subskills), self.initial_records)

    def _act_on(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        room = self.max_subskills - len(tree.subskills)
        if room > 0 and not self.proposer.exhausted(tree.skill, observation):
            if any(node.allocation for node in tree.subskills):
                return pause(tree)
            return Growth(min(self.new_subskills, room), self.records_each)
        limits = self.max_data_per_subskill, self.max_allocation_per_subskill
        return set_allocations(tree, {node.name: next_allocation(node.generated, *limits) for node in tree.subskills})
