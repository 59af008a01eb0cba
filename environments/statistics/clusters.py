"""Which instances of an evaluation belong together, so that intervals keep the groups whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tasks.base import Task
from tasks.types import Split

if TYPE_CHECKING:
    from environments.results import Evaluation

_SPLITS: tuple[Split, Split] = ("val", "test")


def clusters_of(named: Iterable[tuple[str, str | None]]) -> list[str] | None:
    """The group of every instance, from pairs of id and group; None if all are independent.

    One without a group among others with one is a group by itself.
    """
    pairs = list(named)
    if all(cluster is None for _, cluster in pairs):
        return None
    return [f"instance {instance_id}" if cluster is None else cluster for instance_id, cluster in pairs]


def clusters_by_split(task: Task, evaluation: Evaluation) -> dict[str, list[str]]:
    """By split, the group of every instance that was answered, in that order; splits without groups are left out."""
    found: dict[str, list[str]] = {}
    for split in _SPLITS:
        of = {instance.instance_id: task.cluster_of(instance) for instance in task.instances(split)}
        answered = evaluation.val if split == "val" else evaluation.test
        clusters = clusters_of((one.instance_id, of.get(one.instance_id)) for one in answered)
        if clusters is not None:
            found[split] = clusters
    return found
