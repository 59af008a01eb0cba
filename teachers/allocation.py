"""Deals a whole number of records out in proportion to weights; the sum is exact."""

from collections.abc import Sequence
from random import Random


def apportion(total: int, weights: Sequence[float], rng: Random | None = None) -> list[int]:
    """Whole numbers that sum to ``total``, in proportion to weights (largest remainder; equal if all weights are 0).

    ``rng`` breaks ties between equal remainders; without it the earlier part always wins.
    """
    if not weights:
        return []
    weight = sum(weights)
    if weight <= 0:
        weights, weight = [1.0] * len(weights), float(len(weights))
    exact = [total * part / weight for part in weights]
    parts = [int(part) for part in exact]
    order = list(range(len(parts)))
    if rng is not None:
        rng.shuffle(order)
    # Rounded, because 0.1 + 0.2 must tie with 0.3; sorted() is stable, so the order above decides ties.
    order.sort(key=lambda i: -round(exact[i] - parts[i], 9))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def with_floor(weights: Sequence[float], floor: float, by: Sequence[float] | None = None) -> list[float]:
    """Weights of which a share ``floor`` is dealt by ``by`` (None: evenly), the rest in proportion; they sum to 1.

    The floor is replay: a student that is trained on its weak skills alone forgets the strong ones.
    """
    total = sum(weights)
    among = sum(by) if by is not None else len(weights)
    base = [one / among for one in by or [1] * len(weights)] if among else [0.0] * len(weights)
    return [
        floor * least + (1 - floor) * (weight / total if total > 0 else least)
        for weight, least in zip(weights, base, strict=True)
    ]
