"""The policy that conditions on errors: more like what the student got wrong, and some of everything."""

from tasks.base import Task
from tasks.errors import check_range
from teachers.allocation import apportion
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import SharingPolicy


class OpenEndedPolicy(SharingPolicy):
    """Draws errors at random and orders records like each of them; a share of the records is left open.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        records_per_error: Records like each drawn error, so few errors make for few records. None deals the records
            evenly over the errors.
        replay: Share of records of anything in the domain, so that what is mastered is not forgotten.
    """

    def __init__(
        self,
        task: Task,
        records_per_step: int | None = None,
        records_per_error: int | None = None,
        replay: float = 0.4,
    ) -> None:
        super().__init__(task, records_per_step)
        check_range(type(self).__name__, records_per_error=records_per_error)
        check_range(type(self).__name__, 0, 1, replay=replay)
        self.records_per_error = records_per_error
        self.replay = replay

    def act(self, observation: Observation) -> Action:
        """An order for each drawn error, then an open one; all open once there are no errors left."""
        total = self.share(observation)
        replay = round(total * self.replay) if observation.errors else total
        errors = list(observation.errors)
        observation.generator("errors").shuffle(errors)
        counts = apportion(total - replay, [1.0] * len(errors))
        if (each := self.records_per_error) is not None:
            counts = [max(0, min(each, total - replay - index * each)) for index in range(len(errors))]
        specs = [DataSpec(count, like=error.instance_id) for error, count in zip(errors, counts, strict=True) if count]
        return [*specs, DataSpec(replay)] if replay else specs
