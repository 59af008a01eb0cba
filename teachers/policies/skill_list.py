"""Policies that allocate records over listed skills: by error rate, or by what past records were seen to gain."""

import math
from collections.abc import Mapping
from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from teachers.allocation import apportion, with_floor
from teachers.observation import Observation, PastStep
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import SharingPolicy, error_rates, exam_shares, skills_shown

# A skill's estimated gain per record may differ from the average by this factor at most, in both directions: with
# some twenty validation instances per skill, anything beyond is noise, and a skill written off is never tried again.
_MAX_FACTOR = 4.0

# Accuracies are held below this: with some twenty instances, all right is no proof of no errors.
_HIGHEST = 0.97


class ErrorProportionalPolicy(SharingPolicy):
    """Gives each skill records in proportion to the student's errors on it, above a floor for all that is asked.

    A skill that is asked more often has more errors at the same rate; one that is not asked has none.

    Args:
        task: The task to teach.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
        floor: Share of the records dealt by how often skills are asked, so that mastered ones are not forgotten.
        exponent: Sharpness: 0 deals evenly, 1 in proportion, more puts the weakest skills first.
    """

    def __init__(
        self, task: Task, records_per_step: int | None = None, floor: float = 0.4, exponent: float = 1.0
    ) -> None:
        super().__init__(task, records_per_step)
        check_range(type(self).__name__, 0, 1, floor=floor)
        check_range(type(self).__name__, 0, exponent=exponent)
        self.floor = floor
        self.exponent = exponent

    def act(self, observation: Observation) -> Action:
        """One order per skill."""
        needs, asked = self._needs(observation), exam_shares(skills_shown(self, observation))
        weights = [asked[skill] * need**self.exponent if need > 0 else 0.0 for skill, need in needs.items()]
        weights = with_floor(weights, self.floor, list(asked.values()))
        counts = apportion(self.share(observation), weights, observation.generator("ties"))
        return [DataSpec(count, skill=skill) for skill, count in zip(needs, counts, strict=True) if count]

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        """How much an instance of each skill stands to gain, on any scale: here its error rate."""
        return error_rates(observation, skills_shown(self, observation))


class RewardHistoryPolicy(ErrorProportionalPolicy):
    """Learns from the episode's own history which skills gain most per record, and gives those more.

    The expected gain of a record is its skill's error rate times its learning rate: how far the accuracy has risen
    above its lowest, on the scale of ``-log(1 - accuracy)``, for each record since (since the slip, of a skill that was
    mastered and slipped). The rate is drawn towards the average over all skills by ``prior_records`` records' worth of
    evidence; before the first finished step it is the same for all, so the policy starts out error-proportional.

    Args:
        task: The task to teach.
        prior_records: Weight of the average against a skill's own history, in records.
        settings: Those of ErrorProportionalPolicy: records_per_step, floor and exponent.
    """

    def __init__(self, task: Task, prior_records: int = 50, **settings: Any) -> None:
        super().__init__(task, **settings)
        check_range(type(self).__name__, prior_records=prior_records)
        self.prior_records = prior_records

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        errors = super()._needs(observation)
        rises = {skill: _rise(observation.history, skill) for skill in errors}
        records = sum(count for _, count in rises.values())
        average = sum(rise for rise, _ in rises.values()) / records if records else 0.0
        if average <= 0:
            return errors  # nothing has risen so far: no skill has shown to be worth more than another
        needs = {}
        for skill, error in errors.items():
            rise, count = rises[skill]
            own = (rise + self.prior_records * average) / (count + self.prior_records)
            needs[skill] = error * min(_MAX_FACTOR, max(1 / _MAX_FACTOR, own / average))
        return needs


def _rise(history: tuple[PastStep, ...], skill: str) -> tuple[float, int]:
    """How far a skill has risen from its lowest, in nats of ``-log(1 - accuracy)``, and the records it got since."""
    levels: list[float] = []
    records: list[int] = []
    for past in history:
        accuracy = past.skills.get(skill)
        if accuracy is None or accuracy.value is None:
            continue
        levels.append(-math.log(1 - min(_HIGHEST, accuracy.value)))
        records.append(past.allocation.get(skill, 0))
    if not levels:
        return 0.0, 0
    lowest = levels.index(min(levels))
    return levels[-1] - levels[lowest], sum(records[lowest + 1 :])
