"""Accuracies and gains of a run as numbers that know their interval, and print with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from environments.statistics import Interval

T = TypeVar("T")


class Accuracy(float):
    """An accuracy or a mean likelihood, a fraction, with its 95 % interval (``ci95``) and how many instances (``n``).

    Either is None where it is not known. ``groups`` is the number of groups that the instances come in, if they do.
    """

    ci95: Interval | None
    n: int | None
    groups: int | None

    def __new__(
        cls, value: float, ci95: Sequence[float] | None = None, n: int | None = None, groups: int | None = None
    ) -> Self:
        """A float with what belongs to it."""
        made = super().__new__(cls, value)
        made.ci95, made.n, made.groups = _ends(ci95), n, groups
        return made

    def __repr__(self) -> str:
        """The accuracy with its interval."""
        ends = "" if self.ci95 is None else f"95 % interval {self.ci95[0]:.3f} to {self.ci95[1]:.3f}, "
        return f"{float(self):.3f} ({ends}n = {self.n})"


class Points(float):
    """A gain in points, with its 95 % interval (``ci95``) and its ``p_value``; either is None where it is not known."""

    ci95: Interval | None
    p_value: float | None

    def __new__(cls, value: float, ci95: Sequence[float] | None = None, p_value: float | None = None) -> Self:
        """A float with what belongs to it."""
        made = super().__new__(cls, value)
        made.ci95, made.p_value = _ends(ci95), p_value
        return made

    def __repr__(self) -> str:
        """The gain with its interval and p-value."""
        known = [] if self.ci95 is None else [f"95 % interval {self.ci95[0]:+.1f} to {self.ci95[1]:+.1f}"]
        known += [] if self.p_value is None else [f"p = {self.p_value:.2g}"]
        return f"{float(self):+.1f} points" + (f" ({', '.join(known)})" if known else "")


@dataclass(frozen=True, slots=True)
class BySplit(Generic[T]):
    """A number of both splits, validation and test."""

    val: T
    test: T


@dataclass(frozen=True, slots=True)
class Stage(BySplit[Accuracy | None]):
    """Accuracies after a step of a run, and the gain over the untouched student; None where nothing was measured.

    ``likelihood`` is the mean probability of the reference replies, None where the task has none.
    """

    step: int | None
    gain: BySplit[Points | None]
    likelihood: BySplit[Accuracy | None]


def stage_of(summary: Mapping[str, Any], name: str) -> Stage:
    """The stage ``before``, ``after`` or ``best`` of a summary."""
    said = summary.get(name) or {}
    measured = [said.get(split) or {} for split in ("val", "test")]
    val, test = (
        None
        if one.get("accuracy") is None
        else Accuracy(one["accuracy"], one.get("ci95"), one.get("n"), one.get("groups"))
        for one in measured
    )
    likely = [one.get("likelihood") or {} for one in measured]
    likelihoods = [
        None if one.get("value") is None else Accuracy(one["value"], one.get("ci95"), one.get("n")) for one in likely
    ]
    gains = summary.get("gain") if name == "after" else said.get("gain")
    return Stage(val, test, said.get("step"), gains_of(gains or {}), BySplit(*likelihoods))


def gains_of(gains: Mapping[str, Any]) -> BySplit[Points | None]:
    """The gains by split that a summary holds under ``gain``."""
    found = [gains.get(split) or {} for split in ("val", "test")]
    val, test = (
        None if one.get("points") is None else Points(one["points"], one.get("ci95"), one.get("p_value"))
        for one in found
    )
    return BySplit(val, test)


def _ends(ci95: Sequence[float] | None) -> Interval | None:
    return None if ci95 is None else (ci95[0], ci95[1])
