"""More of the same while it pays: exploit after a rewarding step, explore after any other."""

from __future__ import annotations

from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import SkillTree, SkillTreeObservation
from teachers.plan import Exploit, TreeAction
from teachers.policies.skill_tree import Growth, SkillTreePolicy


class ThresholdPolicy(SkillTreePolicy):
    """If a skill's last reward exceeds a threshold, every subskill gets more records; else new subskills do.

    Args:
        task: The task to teach.
        exploit_threshold: Change of accuracy (a fraction) that a step must exceed to count as rewarding.
        increase: Records added to every subskill then.
        new_subskills: Subskills that an exploration asks for.
        records_each: Records for each of them.
        settings: Those of SkillTreePolicy: proposer, chat, initial_subskills and initial_records.

    Raises:
        ConfigurationError: A number is not positive.
    """

    def __init__(
        self,
        task: Task,
        exploit_threshold: float = 0.01,
        increase: int = 10,
        new_subskills: int = 5,
        records_each: int = 10,
        **settings: Any,
    ) -> None:
        super().__init__(task, new_subskills=new_subskills, records_each=records_each, **settings)
        check_range(type(self).__name__, increase=increase)
        self.exploit_threshold = exploit_threshold
        self.increase = increase

    def _act_on(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        if tree.rewards and tree.rewards[-1] > self.exploit_threshold:
            return Exploit({node.name: self.increase for node in tree.subskills})
        return Growth(self.new_subskills, self.records_each)
