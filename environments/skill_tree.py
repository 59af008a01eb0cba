"""Skill-Tree: the teacher also sees a tree of subskills per skill, and acts on it by exploring and exploiting."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from environments.actions import check_tree_action
from environments.budget import Budget
from environments.loop.protocol import Recorder, StudentLoop
from environments.results import StepResult
from environments.skill_list import SkillListEnvironment, shown_fields
from environments.skills.tree import absorb, apply_action, orders, reward
from tasks.base import Task
from tasks.errors import check_range
from tasks.types import Accuracy, TrainingRecord
from teachers.observation import Observation, SkillTree, SkillTreeObservation
from teachers.plan import Action, DataSpec, TreeAction

_TREES = TypeAdapter(list[SkillTree])


class SkillTreeEnvironment(SkillListEnvironment):
    """The environment that keeps trees. A plain list of data specs is an action here too: it leaves the trees alone.

    Every call makes the full present allocation of every subskill again: an allocation is a budget per call, and not
    a total to be reached. Trees that an action does not name keep their allocations.

    Args:
        task: As in Environment.
        loop: As in Environment.
        recorder: As in Environment.
        budget: Limits of the episode.
        probe: Whether the student is asked the newly accepted records before it trains on them, which measures the
            accuracy of each subskill.
        probe_size: How many records of each subskill it is asked at most.
        options: Those of Environment.
    """

    def __init__(
        self,
        task: Task,
        loop: StudentLoop,
        recorder: Recorder,
        budget: Budget,
        probe: bool = True,
        probe_size: int = 16,
        **options: Any,
    ) -> None:
        check_range("environment.init_args", probe_size=probe_size)
        self.probe = probe
        self.probe_size = probe_size
        self._grown: dict[str, SkillTree] = {}
        super().__init__(task, loop, recorder, budget, **options)

    def state_dict(self) -> dict[str, Any]:
        """What load_state_dict needs, the trees included; JSON-able."""
        return {**super().state_dict(), "trees": _TREES.dump_python(list(self._trees.values()), mode="json")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes a state_dict back."""
        super().load_state_dict(state)
        self._grown = {tree.skill: tree for tree in _TREES.validate_python(state["trees"])}

    @property
    def _trees(self) -> dict[str, SkillTree]:
        return {skill: self._grown.get(skill, SkillTree(skill)) for skill in self.assignment.skills()}

    def _clear(self) -> None:
        super()._clear()
        self._grown = {}

    def _show(self, core: Observation) -> Observation:
        return SkillTreeObservation(**shown_fields(super()._show(core)), trees=self._trees)

    def _specs(self, action: Action) -> Sequence[DataSpec]:
        if isinstance(action, Mapping):
            return orders(self._acted_on(action))
        return super()._specs(action)

    def _acted_on(self, action: Mapping[str, TreeAction]) -> dict[str, SkillTree]:
        trees = self._trees
        changes = check_tree_action(action, trees)
        return {
            skill: apply_action(tree, changes[skill]) if skill in changes else tree for skill, tree in trees.items()
        }

    def _commit(self, action: Action, accepted: Sequence[TrainingRecord]) -> None:
        trees = self._acted_on(action) if isinstance(action, Mapping) else self._trees
        measured = self._measure(trees, accepted) if self.probe else {}
        self._grown = {skill: absorb(tree, accepted, measured) for skill, tree in trees.items()}

    def _measure(
        self, trees: Mapping[str, SkillTree], accepted: Sequence[TrainingRecord]
    ) -> dict[tuple[str, str], float]:
        """Mean score by (skill, subskill) of the present student on the accepted records of the trees' subskills."""
        groups: dict[tuple[str, str], list[TrainingRecord]] = {
            (tree.skill, node.name): [] for tree in trees.values() for node in tree.subskills
        }
        for record in accepted:
            group = groups.get((record.skill or "", record.subskill or ""))
            if group is not None and len(group) < self.probe_size:
                group.append(record)
        asked = [(key, record) for key, group in groups.items() for record in group]
        if not asked:
            return {}
        scores: dict[tuple[str, str], list[float]] = {}
        answers = self.loop.answer([self.task.as_instance(record) for _, record in asked])
        for (key, _), prediction in zip(asked, answers, strict=True):
            scores.setdefault(key, []).append(prediction.score)
        return {key: sum(values) / len(values) for key, values in scores.items()}

    def _learned(self, before: StepResult, val: Mapping[str, Accuracy]) -> None:
        unknown = Accuracy(None, 0)
        self._grown = {
            skill: reward(tree, before.val.skills.get(skill, unknown).value, val.get(skill, unknown).value)
            for skill, tree in self._trees.items()
        }
