"""The random policy on skill trees: a coin decides between exploring and exploiting, dice decide how much."""

from __future__ import annotations

from collections.abc import Callable

from tasks.base import Task
from tasks.errors import check_range
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import SkillTree, SkillTreeObservation
from teachers.plan import Exploit, TreeAction
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.skill_tree import Growth, SkillTreePolicy


class RandomPolicy(SkillTreePolicy):
    """Explores up to so many subskills, or draws a new allocation for some of the known ones and pauses the rest.

    All draws are decided by the run's seed, the step, the call and the skill.

    Args:
        task: The task to teach.
        proposer: Makes the source of new subskills for the task.
        max_data_per_subskill: Largest allocation that an exploitation draws.
        max_new_subskills: Most subskills that an exploration asks for.
        max_data_for_new_subskills: Most records for each of them.
        max_active_subskills: Most subskills of a skill that get records after an exploitation.
        chat: What the proposer asks if it asks a chat model and has none of its own; None takes the teacher's calls.

    Raises:
        ConfigurationError: A number is not positive.
    """

    def __init__(
        self,
        task: Task,
        proposer: Callable[[Task], SubskillProposer] = FixedListProposer,
        max_data_per_subskill: int = 30,
        max_new_subskills: int = 3,
        max_data_for_new_subskills: int = 10,
        max_active_subskills: int = 10,
        chat: Chat | Calls | None = None,
    ) -> None:
        super().__init__(task, proposer, max_new_subskills, max_data_for_new_subskills, chat=chat)
        check_range(
            type(self).__name__, max_data_per_subskill=max_data_per_subskill, max_active_subskills=max_active_subskills
        )
        self.max_data_per_subskill = max_data_per_subskill
        self.max_active_subskills = max_active_subskills

    def _begin(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        rng = observation.generator(f"begin/{tree.skill}")
        return Growth(rng.randint(1, self.new_subskills), rng.randint(1, self.records_each))

    def _act_on(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        rng = observation.generator(f"act/{tree.skill}")
        if rng.random() < 0.5:
            return self._begin(tree, observation)
        active = rng.sample(range(len(tree.subskills)), min(self.max_active_subskills, len(tree.subskills)))
        change = {node.name: -node.allocation for node in tree.subskills}
        for index in sorted(active):
            node = tree.subskills[index]
            # An exploration may have given more than the largest allocation drawn here; then it is only lowered.
            highest = max(-node.allocation, self.max_data_per_subskill - node.allocation)
            change[node.name] = rng.randint(-node.allocation, highest)
        return Exploit(change)
