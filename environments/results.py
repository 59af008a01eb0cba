"""What an episode leaves behind: evaluations, finished steps, rejected records, and what a resume needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.types import Prediction, SkillReport, TrainingRecord
from teachers.plan import DataPlan


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One student's answers to both evaluation splits, in the task's order.

    ``truncated_records`` counts those that its training had to cut to the student's length, ``replayed_records`` those
    of its pretraining that it was trained on again.
    """

    val: tuple[Prediction, ...]
    test: tuple[Prediction, ...]
    truncated_records: int = 0
    replayed_records: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that an environment did not accept, or that an engine made and dropped itself.

    Args:
        record: The record as the engine made it.
        reason: A counter's name. The environment's own: ``schema`` (a text is empty or no text), ``answer_mismatch``
            (the response does not score 1 against the record's own answer), ``leak`` (the question is an evaluation
            instance's), ``leak_ngram`` (it shares a long run of words with one), ``leak_template`` (it is one with
            other numbers), ``duplicate`` (the question is already in the pool or the batch), ``near_duplicate``
            (almost), ``known`` (the student answers it already), ``over_budget`` (more than the plan ordered). Checks
            of a task and drops of an engine bring names of their own.
        detail: What exactly was found, for people; empty if the reason says it all.
    """

    record: TrainingRecord
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One finished step, for the run directory and for people; ``dataclasses.asdict`` of it is JSON-able.

    Args:
        step: Its number; 0 is the untouched student.
        records: Records accepted in it.
        pool: Records accepted so far, this step included.
        rejected: Records rejected in it, by reason.
        val: Validation accuracy after it.
        test: Test accuracy after it; no teacher sees it.
        allocation: Accepted records of the step by skill; those without a skill under "unassigned".
        state: The environment's state_dict after it.
        trained: False if no record was accepted, so that the student and its evaluation are the previous step's.
    """

    step: int
    records: int
    pool: int
    rejected: Mapping[str, int]
    val: SkillReport
    test: SkillReport
    allocation: Mapping[str, int]
    state: Mapping[str, Any]
    trained: bool


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A teacher call of an unfinished step, and the environment's ``state`` after it."""

    plan: DataPlan
    accepted: tuple[TrainingRecord, ...]
    rejected: tuple[Rejection, ...]
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RestoredEpisode:
    """What an interrupted (or finished) run left behind, as ``Recorder.restore`` gives it back.

    Args:
        steps: Every finished step, step 0 first; at least one.
        evaluations: The evaluation of each finished step; of one that trained nothing, that of the step before it.
        pool: The accepted records of all finished steps, in the order of their acceptance.
        pending: The teacher calls of the unfinished step that were kept, in order.
    """

    steps: tuple[StepResult, ...]
    evaluations: tuple[Evaluation, ...]
    pool: tuple[TrainingRecord, ...] = ()
    pending: tuple[KeptCall, ...] = field(default=())
