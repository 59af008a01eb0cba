"""The frozen dataclasses that cross package boundaries: what is asked, answered, taught and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tasks.images import Image

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One evaluation item.

    Args:
        instance_id: Unique within its task.
        instruction: The text that the student is asked, before any chat template.
        answer: The right answer in the task's own notation.
        skill: Gold skill, if the benchmark has one.
        subskill: Gold subskill, if the benchmark has one.
        metadata: The benchmark row's own fields; scoring may read them, students and teachers never see them.
        image: The image that the instruction is about, if it is about one.
    """

    instance_id: str
    instruction: str
    answer: str
    skill: str | None = None
    subskill: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """One training item, as a teacher's engine writes it.

    Args:
        instruction: The text that the student is asked.
        response: The text that the student learns to reply, working included.
        answer: The final answer that the response arrives at, in the task's notation.
        skill: The skill that the record was made for.
        subskill: The subskill that the record was made for.
        source: Which engine made it, and for what (free text, for people).
        image: The image that the instruction is about, if it is about one.
        rejected: A worse response, for students that learn from preferences.
    """

    instruction: str
    response: str
    answer: str
    skill: str | None = None
    subskill: str | None = None
    source: str = ""
    image: Image | None = None
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the student answered to one instance.

    Args:
        instance_id: Which instance.
        text: The decoded reply, special tokens removed.
        score: The task's score of it, in [0, 1].
        truncated: True if decoding ended at the token limit and not at an end-of-turn token.
        likelihood: The probability that the student gives the task's reference reply, whole and ended there, in
            [0, 1]; None where it was not measured or the task has no reference.
    """

    instance_id: str
    text: str
    score: float
    truncated: bool = False
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A mean score with the number of instances behind it.

    Args:
        value: Mean score in [0, 1]; None if nothing was scored (never NaN).
        n: Number of scored instances.
        likelihood: Mean likelihood of the reference replies, of the instances that have one; None without any.
    """

    value: float | None
    n: int
    likelihood: float | None = None

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> Accuracy:
        """The accuracy of some predictions."""
        likelihoods = [one.likelihood for one in predictions if one.likelihood is not None]
        return cls(_mean([one.score for one in predictions]), len(predictions), _mean(likelihoods))


@dataclass(frozen=True, slots=True)
class SkillReport:
    """Accuracy overall and by skill, over one split.

    Args:
        overall: Mean over all instances.
        skills: Mean over the instances of each skill.
        slices: Mean over the instances of each further group, under ``<kind>/<value>`` (``level/Level 3``).
        metrics: The benchmark's further scores of the whole split, by name.
    """

    overall: Accuracy
    skills: Mapping[str, Accuracy] = field(default_factory=dict)
    slices: Mapping[str, Accuracy] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        predictions: Sequence[Prediction],
        skills: Sequence[str | None],
        slices: Sequence[Mapping[str, str]] | None = None,
    ) -> SkillReport:
        """The report of predictions; those of no skill count overall only, and None stands for no slices."""
        by_skill: dict[str, list[Prediction]] = {}
        by_slice: dict[str, list[Prediction]] = {}
        for prediction, skill, groups in zip(predictions, skills, slices or [{}] * len(skills), strict=True):
            if skill is not None:
                by_skill.setdefault(skill, []).append(prediction)
            for kind, value in groups.items():
                by_slice.setdefault(f"{kind}/{value}", []).append(prediction)
        return cls(Accuracy.of(predictions), _accuracies(by_skill), _accuracies(by_slice))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _accuracies(groups: Mapping[str, list[Prediction]]) -> dict[str, Accuracy]:
    # Sorted, as JSON files are: a report that was read back shows the same order as one that was just made.
    return {name: Accuracy.of(groups[name]) for name in sorted(groups)}
