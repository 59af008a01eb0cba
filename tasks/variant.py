"""Variants of a procedural task: what is asked and what can be learnt, where that is not the same for all skills."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tasks.errors import ConfigurationError


@dataclass(frozen=True)
class Variant:
    """How a procedural task differs from its even form, in which every skill is asked alike and can be learnt.

    A teacher is shown the whole catalogue of skills; what the exam asks of it, and what can be learnt, it has to find
    out from feedback.

    Args:
        exam: Weight of each skill among the evaluation instances, on any scale. Skills that are not named are not
            asked: they are in the catalogue, but no instance is about them. Empty asks all evenly.
        unlearnable: Skills whose answers do not follow from their questions. Each question has a fixed answer, taken
            from another question of its subskill, in records and instances alike: answers can be known by heart, and
            nothing follows from them for any other question.
    """

    exam: Mapping[str, float] = field(default_factory=dict)
    unlearnable: Sequence[str] = ()

    def check(self, name: str, skills: Sequence[str]) -> None:
        """Refuses what does not fit a task's skills.

        Raises:
            ConfigurationError: A skill is unknown, a weight is negative, or nothing is asked.
        """
        for skill in (*self.exam, *self.unlearnable):
            if skill not in skills:
                raise ConfigurationError(
                    f"task.init_args.variant names {skill!r}, and {name} has no such skill; it has {', '.join(skills)}."
                )
        if self.exam and (min(self.exam.values()) < 0 or not 0 < sum(self.exam.values()) < float("inf")):
            raise ConfigurationError(
                f"task.init_args.variant.exam is {dict(self.exam)}: weights must be 0 or more, and one of them above 0."
            )

    def shares(self, size: int, skills: Sequence[str]) -> dict[str, int]:
        """How many of ``size`` instances ask each skill: by weight, the largest remainders rounded up."""
        weights = {skill: float(self.exam.get(skill, 0)) if self.exam else 1.0 for skill in skills}
        exact = {skill: size * weight / sum(weights.values()) for skill, weight in weights.items()}
        counts = {skill: int(share) for skill, share in exact.items()}
        by_remainder = sorted(skills, key=lambda skill: -round(exact[skill] - counts[skill], 9))
        for skill in by_remainder[: size - sum(counts.values())]:
            counts[skill] += 1
        return counts
