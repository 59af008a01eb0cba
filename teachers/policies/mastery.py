"""Teach what is not mastered but can be learned: records go to subskills by the expected gain of one more."""

import math
from collections.abc import Callable

from tasks.base import Task
from tasks.errors import check_range
from teachers.allocation import apportion, with_floor
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import Observation, SkillTree, SkillTreeObservation, SubskillNode
from teachers.plan import Action, Explore, TreeAction
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.sharing import SharingPolicy, error_rates, exam_shares, trees_shown
from teachers.policies.skill_tree import set_allocations
from teachers.teacher import make_part

# A subskill's own accuracy counts as much as its skill's when it was measured on this many records.
_PRIOR_MEASURED = 2
# A subskill's own learning rate counts as much as the average one when it was taught with this many records.
_PRIOR_TAUGHT = 10
# Accuracies are held below this: a few right answers out of a few are no proof of mastery.
_HIGHEST = 0.97


class MasteryPolicy(SharingPolicy):
    """Explores all subskills of all skills at once, then teaches each by the expected gain of one more record.

    A subskill's accuracy is taken to follow ``1 - exp(-rate * records)``, where one more record gains
    ``(1 - accuracy) * rate``: mastered ones have no errors left to remove, those that do not move for all their records
    have no rate, and those that were mastered and slip have a high one. The rate is the subskill's own, drawn towards
    the average of all by ten records' worth of evidence.

    Args:
        task: The task to teach.
        proposer: Makes the source of subskills for the task.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        floor: Share of the records dealt over all subskills by how often their skill is asked, so that mastered ones
            are kept and measured.
        exponent: Sharpness: 0 deals evenly, 1 in proportion to the expected gain, more puts the largest first.
        max_subskills: Subskills that a skill's exploration asks for.
        chat: What the proposer asks if it has no chat model of its own; None takes the teacher's calls.
    """

    def __init__(
        self,
        task: Task,
        proposer: Callable[[Task], SubskillProposer] = FixedListProposer,
        records_per_step: int | None = None,
        floor: float = 0.2,
        exponent: float = 1.5,
        max_subskills: int = 10,
        chat: Chat | Calls | None = None,
    ) -> None:
        super().__init__(task, records_per_step)
        check_range(type(self).__name__, 0, 1, floor=floor)
        check_range(type(self).__name__, 0, exponent=exponent)
        check_range(type(self).__name__, max_subskills=max_subskills)
        self.proposer = make_part(proposer, task, chat=chat)
        self.floor = floor
        self.exponent = exponent
        self.max_subskills = max_subskills

    def act(self, observation: Observation) -> Action:
        """One action per listed skill; together they order the call's share of the budget."""
        shown = trees_shown(self, observation)
        total = self.share(shown)
        untouched = [tree for tree in shown.trees.values() if not tree.actions]
        if untouched:
            return self._explore(untouched, shown, total)
        errors = error_rates(shown, shown.skills)
        nodes = [(tree, node) for tree in shown.trees.values() for node in tree.subskills]
        gains = expected_gains([(node, _accuracy(node, tree, 1 - errors[tree.skill])) for tree, node in nodes])
        asked = exam_shares(shown.skills)
        shares = [asked[tree.skill] for tree, _ in nodes]
        weights = [share * gain**self.exponent for share, gain in zip(shares, gains, strict=True)]
        weights = with_floor(weights, self.floor, shares)
        counts = apportion(total, weights, shown.generator("subskills"))
        wanted: dict[str, dict[str, int]] = {skill: {} for skill in shown.trees}
        for (tree, node), count in zip(nodes, counts, strict=True):
            wanted[tree.skill][node.name] = count
        return {skill: set_allocations(shown.trees[skill], counts) for skill, counts in wanted.items()}

    def _explore(self, untouched: list[SkillTree], shown: SkillTreeObservation, total: int) -> dict[str, TreeAction]:
        errors, asked = error_rates(shown, shown.skills), exam_shares(shown.skills)
        among = [asked[tree.skill] for tree in untouched]
        weights = with_floor([asked[tree.skill] * errors[tree.skill] for tree in untouched], self.floor, among)
        shares = apportion(total, weights, shown.generator("skills"))
        actions: dict[str, TreeAction] = {}
        names = self.proposer.propose_all({tree.skill: self.max_subskills for tree in untouched}, shown)
        for tree, share in zip(untouched, shares, strict=True):
            # Rounded up for a skill that gets anything: a subskill without records would stay unmeasured.
            actions[tree.skill] = Explore(names[tree.skill], -(-share // max(1, len(names[tree.skill]))))
        return actions


def expected_gains(nodes: list[tuple[SubskillNode, float]]) -> list[float]:
    """What one more record is expected to add to each subskill's accuracy; ``nodes`` come with accuracies in [0, 1]."""
    # Records that the student had trained on when the accuracy was measured: the latest came after.
    taught = [max(0, node.generated - node.allocation) for node, _ in nodes]
    learned = [-math.log(1 - min(_HIGHEST, max(0.0, accuracy))) for _, accuracy in nodes]
    moved = [(amount, count) for amount, count in zip(learned, taught, strict=True) if count]
    average = sum(amount for amount, _ in moved) / sum(count for _, count in moved) if moved else 1.0
    gains = []
    for (_, accuracy), amount, count in zip(nodes, learned, taught, strict=True):
        rate = (amount + _PRIOR_TAUGHT * average) / (count + _PRIOR_TAUGHT)
        gains.append((1 - min(_HIGHEST, max(0.0, accuracy))) * rate)
    return gains


def _accuracy(node: SubskillNode, tree: SkillTree, skill_accuracy: float) -> float:
    """The accuracy expected now, between the subskill's own as measured and its skill's.

    What was measured is one training old; the skill's last reward says how much it has moved since.
    """
    if node.accuracy is None:
        return skill_accuracy
    own = min(1.0, max(0.0, node.accuracy + (tree.rewards[-1] if tree.rewards else 0.0)))
    return (node.allocation * own + _PRIOR_MEASURED * skill_accuracy) / (node.allocation + _PRIOR_MEASURED)
