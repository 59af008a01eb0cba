"""A policy on skill trees that leaves it to a policy on skill lists how many records each skill gets."""

from collections import Counter
from collections.abc import Callable, Mapping

from tasks.base import Task
from tasks.errors import ConfigurationError, check_range
from teachers.allocation import apportion, with_floor
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import Observation, SkillTree
from teachers.plan import Action, Explore, TreeAction
from teachers.policies.expected_gain import ExpectedGainPolicy
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.sharing import trees_shown
from teachers.policies.skill_tree import set_allocations
from teachers.teacher import Policy, make_part


class PlannedTreePolicy(Policy):
    """Explores a skill once records are planned for it, and sets its subskills' allocations from then on.

    An exploration gives every new subskill as many records; what does not divide stays in the budget. Later a share
    ``focus`` of a skill's records goes to the subskills on whose latest records the student failed most, the rest to
    all alike.

    Args:
        task: The task to teach.
        policy: Makes the policy that decides how many records each skill gets, for the task.
        proposer: Makes the source of new subskills for the task.
        new_subskills: Subskills that an exploration asks for, at most one for each planned record.
        focus: Share of a skill's records that follows the measured errors of its subskills.
        chat: What policy and proposer ask if they have no chat model of their own; None takes the teacher's calls.
    """

    def __init__(
        self,
        task: Task,
        policy: Callable[[Task], Policy] = ExpectedGainPolicy,
        proposer: Callable[[Task], SubskillProposer] = FixedListProposer,
        new_subskills: int = 3,
        focus: float = 0.5,
        chat: Chat | Calls | None = None,
    ) -> None:
        check_range(type(self).__name__, new_subskills=new_subskills)
        check_range(type(self).__name__, 0, 1, focus=focus)
        self.policy = make_part(policy, task, chat=chat)
        self.proposer = make_part(proposer, task, chat=chat)
        self.new_subskills = new_subskills
        self.focus = focus

    def act(self, observation: Observation) -> Action:
        """One action for each skill that gets records or has got some."""
        shown = trees_shown(self, observation)
        plan = self.policy.act(shown)
        planned = Counter[str]()
        for spec in plan if not isinstance(plan, Mapping) else ():
            planned.update({spec.skill or "": spec.count})
        if isinstance(plan, Mapping) or "" in planned:
            raise ConfigurationError(
                f"PlannedTreePolicy: {type(self.policy).__name__} does not order records for skills; give it a policy "
                "on skill lists."
            )
        unexplored = {
            skill: min(self.new_subskills, planned[skill])
            for skill, tree in shown.trees.items()
            if planned[skill] and not tree.subskills
        }
        names = self.proposer.propose_all(unexplored, shown) if unexplored else {}
        actions: dict[str, TreeAction] = {}
        for skill, tree in shown.trees.items():
            if tree.subskills:
                actions[skill] = set_allocations(tree, self._dealt(tree, planned[skill]))
            elif names.get(skill):
                actions[skill] = Explore(names[skill], planned[skill] // len(names[skill]))
        return actions

    def _dealt(self, tree: SkillTree, count: int) -> dict[str, int]:
        errors = [1.0 if node.accuracy is None else 1.0 - node.accuracy for node in tree.subskills]
        counts = apportion(count, with_floor(errors, 1 - self.focus))
        return {node.name: n for node, n in zip(tree.subskills, counts, strict=True)}
