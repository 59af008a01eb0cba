"""Fits actions on skill trees into a call's share of the budget."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from teachers.allocation import apportion
from teachers.observation import SkillTree
from teachers.plan import Exploit, Explore, TreeAction
from teachers.policies.skill_tree import Growth, set_allocations


def fit(
    wishes: Mapping[str, TreeAction | Growth], trees: Mapping[str, SkillTree], total: int, rng: Random
) -> dict[str, TreeAction | Growth]:
    """The same wishes with orders that sum to at most ``total``, as far as actions can bring that about.

    What an action orders is scaled down alike everywhere: the allocations after an exploitation, and the records of
    new subskills. An exploration cannot change what its skill's old subskills get, which is counted first.

    Args:
        wishes: What to do with each skill.
        trees: The trees before.
        total: Records that may be ordered.
        rng: Decides who gets the odd record.
    """
    kept = 0
    wanted: dict[tuple[str, str | None], int] = {}
    for skill, wish in wishes.items():
        if isinstance(wish, Exploit):
            for node in trees[skill].subskills:
                wanted[skill, node.name] = max(0, node.allocation + wish.change.get(node.name, 0))
        else:
            kept += sum(node.allocation for node in trees[skill].subskills)
            wanted[skill, None] = wish.records_each * _new(wish)
    if kept + sum(wanted.values()) <= total:
        return dict(wishes)
    counts = dict(zip(wanted, apportion(max(0, total - kept), list(wanted.values()), rng), strict=True))
    return {
        skill: _scaled(wish, trees[skill], {name: count for (of, name), count in counts.items() if of == skill})
        for skill, wish in wishes.items()
    }


def _new(wish: Explore | Growth) -> int:
    return wish.count if isinstance(wish, Growth) else len(wish.subskills)


def _scaled(wish: TreeAction | Growth, tree: SkillTree, counts: Mapping[str | None, int]) -> TreeAction | Growth:
    if isinstance(wish, Exploit):
        return set_allocations(tree, {name: count for name, count in counts.items() if name is not None})
    # At least 1: a subskill without records is not measured, and the environment cuts the plan to the budget.
    each = max(1, counts[None] // max(1, _new(wish)))
    if isinstance(wish, Growth):
        return Growth(wish.count, each, wish.otherwise)
    return Explore(wish.subskills, each)
