"""Which instances of an evaluation belong together: groups that rise and fall as one, so that intervals must keep them."""

from __future__ import annotations

from collections.abc import Iterable


def clusters_of(named: Iterable[tuple[str, str | None]]) -> list[str] | None:
    """The group of every instance; None if no instance is in one, so that all are independent.

    Args:
        named: Each instance's id and its group. One without a group among others with one is a group by itself.
    """
    pairs = list(named)
    if all(cluster is None for _, cluster in pairs):
        return None
    return [f"instance {instance_id}" if cluster is None else cluster for instance_id, cluster in pairs]
