"""Rules on skill trees: exploit what pays, draw at random, explore and pause in turn, or fill all alike."""

from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import SkillTree, SkillTreeObservation
from teachers.plan import Exploit, TreeAction
from teachers.policies.skill_tree import Growth, SkillTreePolicy, pause, set_allocations


class ThresholdPolicy(SkillTreePolicy):
    """If a skill's last reward exceeds a threshold, every subskill gets more records; else new subskills do.

    Args:
        task: The task to teach.
        exploit_threshold: Change of accuracy (a fraction) that a step must exceed to count as rewarding.
        increase: Records added to every subskill then.
        new_subskills: Subskills that an exploration asks for.
        records_each: Records for each of them.
        settings: Those of SkillTreePolicy: proposer, chat, initial_subskills and initial_records.
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


class RandomPolicy(SkillTreePolicy):
    """Explores some subskills, or draws a new allocation for some of the known ones and pauses the rest.

    All draws are decided by the run's seed, the step, the call and the skill.

    Args:
        task: The task to teach.
        max_data_per_subskill: Largest allocation that an exploitation draws.
        max_new_subskills: Most subskills that an exploration asks for.
        max_data_for_new_subskills: Most records for each of them.
        max_active_subskills: Most subskills of a skill that get records after an exploitation.
        settings: Those of SkillTreePolicy: proposer and chat.
    """

    def __init__(
        self,
        task: Task,
        max_data_per_subskill: int = 30,
        max_new_subskills: int = 3,
        max_data_for_new_subskills: int = 10,
        max_active_subskills: int = 10,
        **settings: Any,
    ) -> None:
        super().__init__(task, new_subskills=max_new_subskills, records_each=max_data_for_new_subskills, **settings)
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
        left = None if self.max_data_for_skill is None else self.max_data_for_skill - tree.generated
        if left is not None and left <= 0:
            return pause(tree)
        if left is not None and self.hard:
            count = min(count, left)
            each = min(each, left // count)
        least_taught = sorted(tree.subskills, key=lambda node: node.generated)[:count]
        revived = set_allocations(tree, {node.name: each for node in least_taught})
        return Growth(count, each, otherwise=revived if tree.subskills else None)


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
