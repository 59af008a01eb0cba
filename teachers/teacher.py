"""A teacher is a policy, which decides what to teach, and an engine, which makes the records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from tasks.base import Task
from tasks.types import TrainingRecord
from teachers.observation import Observation
from teachers.plan import Action, DataPlan


class Policy(ABC):
    """Decides from an observation what data to make. Subclasses take the task as their first argument.

    A policy keeps no state of its own between calls: all it may remember is in ``observation.history``, and its
    randomness comes from ``observation.generator(...)``. That is what makes an interrupted run resumable.
    """

    @abstractmethod
    def act(self, observation: Observation) -> Action:
        """The action for an observation: data specs, or one tree action per skill."""


class Engine(ABC):
    """Makes the records of a plan. Subclasses take the task as their first argument."""

    @abstractmethod
    def generate(self, plan: DataPlan) -> Sequence[TrainingRecord]:
        """The records of a plan, at most ``spec.count`` for each spec, in the order of the specs."""


class Teacher:
    """A data generation agent.

    Args:
        task: The task to teach.
        policy: Makes the policy for the task, e.g. ``teachers.policies.NoStatePolicy``.
        engine: Makes the engine for the task, e.g. ``teachers.engines.ProceduralEngine``.
    """

    def __init__(self, task: Task, policy: Callable[[Task], Policy], engine: Callable[[Task], Engine]) -> None:
        self.policy = policy(task)
        self.engine = engine(task)
