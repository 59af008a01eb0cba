"""The policy that knows the domain and sees nothing of the student: the baseline that feedback has to beat."""

from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import SharingPolicy


class NoStatePolicy(SharingPolicy):
    """Orders records of anything in the domain, whatever the student can do.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def act(self, observation: Observation) -> Action:
        """One order without a skill."""
        return [DataSpec(self.share(observation))]
