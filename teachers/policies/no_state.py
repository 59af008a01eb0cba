"""The policy that knows the domain and sees nothing of the student: the baseline feedback has to beat."""

from __future__ import annotations

from tasks.base import Task
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import checked_share, share_of
from teachers.teacher import Policy


class NoStatePolicy(Policy):
    """Orders records of anything in the domain, whatever the student can do.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def __init__(self, task: Task, records_per_step: int | None = None) -> None:
        self.records_per_step = checked_share(self, records_per_step)

    def act(self, observation: Observation) -> Action:
        """One order without a skill."""
        return [DataSpec(share_of(observation, self.records_per_step))]
