"""How skill trees change: by an action, by accepted records, by a finished step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.types import TrainingRecord
from teachers.observation import SkillTree, SubskillNode
from teachers.plan import DataSpec, Explore, TreeAction


def apply_action(tree: SkillTree, action: TreeAction) -> SkillTree:
    """The tree after an action.

    Explore appends the names that the tree does not have yet, each once. Exploit adds its changes to the present
    allocations: a subskill that it does not name stays as it is, and no allocation falls below 0.
    """
    nodes: list[SubskillNode]
    if isinstance(action, Explore):
        known = {node.name for node in tree.subskills}
        new = [name for name in dict.fromkeys(action.subskills) if name not in known]
        nodes = [*tree.subskills, *(SubskillNode(name, action.records_each) for name in new)]
    else:
        nodes = [
            replace(node, allocation=max(0, node.allocation + action.change.get(node.name, 0)))
            for node in tree.subskills
        ]
    return replace(tree, subskills=tuple(nodes), actions=(*tree.actions, action.kind))


def orders(trees: Mapping[str, SkillTree]) -> list[DataSpec]:
    """What a step makes: the full present allocation of every subskill, whether it was made before or not."""
    return [
        DataSpec(node.allocation, skill=tree.skill, subskill=node.name)
        for tree in trees.values()
        for node in tree.subskills
    ]


def absorb(tree: SkillTree, accepted: Sequence[TrainingRecord], measured: Mapping[tuple[str, str], float]) -> SkillTree:
    """The tree with newly accepted records (of any skill) counted, and with the accuracies measured on them.

    ``measured`` is the mean score by (skill, subskill) of the student that has not trained on them yet.
    """
    made = Counter(record.subskill for record in accepted if record.skill == tree.skill)
    nodes = (
        replace(
            node,
            generated=node.generated + made[node.name],
            accuracy=measured.get((tree.skill, node.name), node.accuracy),
        )
        for node in tree.subskills
    )
    return replace(tree, subskills=tuple(nodes))


def reward(tree: SkillTree, before: float | None, after: float | None) -> SkillTree:
    """The tree with a step's reward, the change of the skill's accuracy.

    No reward is noted before the first action, nor where an accuracy is unknown (a skill first seen in this step).
    """
    if not tree.actions or before is None or after is None:
        return tree
    return replace(tree, rewards=(*tree.rewards, after - before))
