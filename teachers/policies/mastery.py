"""Teach what is not mastered: records go to subskills by their own measured accuracy, above a floor for all."""

from __future__ import annotations

from collections.abc import Callable

from tasks.base import Task
from tasks.errors import ConfigurationError
from teachers.allocation import apportion, with_floor
from teachers.observation import Observation, SkillTree, SkillTreeObservation, SubskillNode
from teachers.plan import Action, Explore, TreeAction
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.sharing import checked_fraction, checked_share, error_rates, share_of, trees_shown
from teachers.policies.skill_tree import set_allocations
from teachers.teacher import Policy

# A subskill's own accuracy counts as much as its skill's when it was measured on this many records.
_PRIOR_RECORDS = 4


class MasteryPolicy(Policy):
    """Explores all subskills of a skill at once, then follows what was measured on each.

    A call's share of the budget is dealt out twice: over skills by their error rate on validation, and within a
    skill over its subskills by the error rate on their own records. Skills above ``mastered`` get the floor only.

    Args:
        task: The task to teach.
        proposer: Makes the source of new subskills for the task.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        floor: Share of the records that is dealt evenly over all skills, and within a skill over all its subskills.
        mastered: Validation accuracy from which on a skill counts as mastered.
        max_subskills: Subskills that a skill's first exploration asks for.

    Raises:
        ConfigurationError: A number is out of range.
    """

    def __init__(
        self,
        task: Task,
        proposer: Callable[[Task], SubskillProposer] = FixedListProposer,
        records_per_step: int | None = None,
        floor: float = 0.2,
        mastered: float = 0.9,
        max_subskills: int = 10,
    ) -> None:
        if max_subskills < 1:
            raise ConfigurationError(f"MasteryPolicy: max_subskills is {max_subskills}; it must be at least 1.")
        self.proposer = proposer(task)
        self.max_subskills = max_subskills
        self.records_per_step = checked_share(self, records_per_step)
        self.floor = checked_fraction(self, "floor", floor)
        self.mastered = checked_fraction(self, "mastered", mastered)

    def act(self, observation: Observation) -> Action:
        """One action per listed skill; together they order the call's share of the budget.

        Raises:
            ConfigurationError: The environment shows no trees.
        """
        shown = trees_shown(self, observation)
        errors = error_rates(shown, shown.skills)
        needs = [0.0 if 1 - error >= self.mastered else error for error in errors.values()]
        total = share_of(shown, self.records_per_step)
        shares = apportion(total, with_floor(needs, self.floor), shown.generator("skills"))
        return {
            skill: self._teach(shown.trees[skill], shown, share, errors[skill])
            for skill, share in zip(errors, shares, strict=True)
        }

    def _teach(self, tree: SkillTree, observation: SkillTreeObservation, share: int, error: float) -> TreeAction:
        if not tree.subskills:
            names = self.proposer.propose(tree.skill, self.max_subskills, observation)
            # Even a small share gives one record to each: a subskill without records would stay unmeasured.
            each = max(1, share // max(1, len(names))) if share else 0
            return Explore(names, each)
        needs = [_need(node, tree, error) for node in tree.subskills]
        rng = observation.generator(f"subskills/{tree.skill}")
        counts = apportion(share, with_floor(needs, self.floor), rng)
        return set_allocations(tree, {node.name: n for node, n in zip(tree.subskills, counts, strict=True)})


def _need(node: SubskillNode, tree: SkillTree, skill_error: float) -> float:
    """The error rate that a subskill is expected to have now, between its own as measured and its skill's.

    What was measured is one step old; the skill's last reward says how much it has moved since.
    """
    if node.accuracy is None:
        return skill_error
    moved = node.accuracy + (tree.rewards[-1] if tree.rewards else 0.0)
    own = 1 - min(1.0, max(0.0, moved))
    return (node.allocation * own + _PRIOR_RECORDS * skill_error) / (node.allocation + _PRIOR_RECORDS)
