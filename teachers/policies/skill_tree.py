"""What policies on skill trees share: one action per skill, the first of which grows the tree."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.base import Task
from tasks.errors import check_range
from teachers.chat.calls import Calls
from teachers.chat.types import Chat
from teachers.observation import Observation, SkillTree, SkillTreeObservation
from teachers.plan import Action, Exploit, Explore, TreeAction
from teachers.policies.proposers import FixedListProposer, SubskillProposer
from teachers.policies.sharing import trees_shown
from teachers.teacher import Policy, make_part


@dataclass(frozen=True, slots=True)
class Growth:
    """The wish to explore a skill; an action once the proposer has named the new subskills of all skills at once."""

    count: int
    records_each: int
    otherwise: TreeAction | None = None


class SkillTreePolicy(Policy):
    """Acts on every skill's tree by itself: explores an untouched one, then follows the subclass's rule.

    Args:
        task: The task to teach.
        proposer: Makes the source of new subskills for the task.
        new_subskills: Subskills that an exploration asks for.
        records_each: Records per call for each of them.
        initial_subskills: The same for a skill's first exploration; None takes ``new_subskills``.
        initial_records: The same for a skill's first exploration; None takes ``records_each``.
        chat: What the proposer asks if it has no chat model of its own; None takes the teacher's calls.
    """

    def __init__(
        self,
        task: Task,
        proposer: Callable[[Task], SubskillProposer] = FixedListProposer,
        new_subskills: int = 2,
        records_each: int = 30,
        initial_subskills: int | None = None,
        initial_records: int | None = None,
        chat: Chat | Calls | None = None,
    ) -> None:
        self.proposer = make_part(proposer, task, chat=chat)
        self.new_subskills = new_subskills
        self.records_each = records_each
        self.initial_subskills = new_subskills if initial_subskills is None else initial_subskills
        self.initial_records = records_each if initial_records is None else initial_records
        check_range(type(self).__name__, new_subskills=new_subskills, records_each=records_each)
        check_range(type(self).__name__, initial_subskills=initial_subskills, initial_records=initial_records)

    def act(self, observation: Observation) -> Action:
        """One action per listed skill."""
        shown = trees_shown(self, observation)
        wishes = self._decide(shown)
        wanted = {skill: wish.count for skill, wish in wishes.items() if isinstance(wish, Growth)}
        names = self.proposer.propose_all(wanted, shown) if wanted else {}
        actions: dict[str, TreeAction] = {}
        for skill, wish in wishes.items():
            if not isinstance(wish, Growth):
                actions[skill] = wish
            elif not names[skill] and wish.otherwise is not None:
                actions[skill] = wish.otherwise
            else:
                actions[skill] = Explore(names[skill], wish.records_each)
        return actions

    def _decide(self, observation: SkillTreeObservation) -> Mapping[str, TreeAction | Growth]:
        """What to do with each skill."""
        return {
            skill: self._act_on(tree, observation) if tree.actions else self._begin(tree, observation)
            for skill, tree in observation.trees.items()
        }

    @abstractmethod
    def _act_on(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        """What to do with one skill whose tree was acted on before."""

    def _begin(self, tree: SkillTree, observation: SkillTreeObservation) -> TreeAction | Growth:
        return Growth(self.initial_subskills, self.initial_records)


def pause(tree: SkillTree) -> Exploit:
    """The action after which no subskill gets records."""
    return set_allocations(tree, dict.fromkeys((node.name for node in tree.subskills), 0))


def set_allocations(tree: SkillTree, allocations: dict[str, int]) -> Exploit:
    """The action that brings subskills to these allocations; what is not named stays."""
    present = {node.name: node.allocation for node in tree.subskills}
    return Exploit({name: wanted - present[name] for name, wanted in allocations.items()})
