"""Learning curves fitted to the episode's own history, and the budget that is left planned on them."""

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tasks.base import Task
from tasks.errors import check_range
from teachers.observation import Observation
from teachers.plan import Action, DataSpec
from teachers.policies.sharing import SharingPolicy, exam_shares, skills_shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The curves that a skill may follow: logit a(n) = logit a(0) + slope log(1 + n / size). A slope of 0 is a skill that
# does not move; it is as likely beforehand as all others together are spread over.
_SLOPES = (0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0)
_SIZES = (2.0, 5.0, 12.0, 30.0, 80.0)


class ExpectedGainPolicy(SharingPolicy):
    """Plans the rest of the budget by the gain that each further record is expected to bring.

    Every skill has a distribution over learning curves, updated by what was measured after each step (binomial
    likelihood) and drawn towards the other skills' by a common distribution over slopes and sizes. Records that are
    left go one by one where their expected gain is largest, weighted by how often the skill is asked; a call orders its
    share of that plan.

    Args:
        task: The task to teach.
        trust: How much a measured accuracy counts: 1 as so many independent instances, less since runs differ as well.
        explore: Share of the records dealt by how often skills are asked, in all calls but the last.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def __init__(
        self, task: Task, trust: float = 0.5, explore: float = 0.2, records_per_step: int | None = None
    ) -> None:
        super().__init__(task, records_per_step)
        check_range(type(self).__name__, 0, 1, trust=trust, explore=explore)
        self.trust = trust
        self.explore = explore

    def act(self, observation: Observation) -> Action:
        """One order per skill that the plan or the exploration gives records."""
        from teachers.allocation import apportion, with_floor

        skills = skills_shown(self, observation)
        asked = exam_shares(skills)
        names = [name for name in skills if asked[name]]
        total = self.share(observation)
        left = max(total, observation.records_left or total)
        taught = {name: sum(past.allocation.get(name, 0) for past in observation.history) for name in names}
        curves = self._curves(observation, names, max(taught.values()) + left)
        planned = dict.fromkeys(names, 0)

        def gain(name: str) -> float:
            # Curves of a logit are not concave at their foot: the mean gain over a handful of records counts.
            place = taught[name] + planned[name]
            ahead = min(10, len(curves[name]) - 1 - place)
            return asked[name] * float(curves[name][place + ahead] - curves[name][place]) / ahead if ahead else 0.0

        gains = {name: gain(name) for name in names}
        for _ in range(left):
            best = max(names, key=lambda name: gains[name])
            planned[best] += 1
            gains[best] = gain(best)
        explore = self.explore if (observation.calls_left or 1) > 1 else 0.0
        weights = with_floor([float(planned[name]) for name in names], explore, [asked[name] for name in names])
        counts = apportion(total, weights, observation.generator("ties"))
        return [DataSpec(count, skill=name) for name, count in zip(names, counts, strict=True) if count]

    def _curves(self, observation: Observation, names: list[str], most: int) -> "dict[str, NDArray[np.float64]]":
        """Expected accuracy by number of records, from 0 to ``most``."""
        import numpy as np

        slopes, sizes = self._grid
        evidence, starts = {}, {}
        for name in names:
            measured = _measured(observation, name)
            right, n, _ = measured[0] if measured else (0.0, 0.0, 0)
            starts[name] = math.log((right + 0.5) / (n - right + 0.5))
            log = np.zeros(len(slopes))
            for right, n, records in measured[1:]:
                logit = starts[name] + slopes * np.log1p(records / sizes)
                log += self.trust * (right * -np.log1p(np.exp(-logit)) + (n - right) * -np.log1p(np.exp(logit)))
            evidence[name] = log
        # The common distribution is what all skills' evidence says together, half of the weight; the rest is the prior.
        common = self._prior.copy()
        for log in evidence.values():
            common += _normalised(log + np.log(self._prior)) / max(1, len(names))
        common /= common.sum()
        counts = np.arange(most + 1)
        found = {}
        for name in names:
            weights = _normalised(evidence[name] + np.log(common))
            logit = starts[name] + slopes[:, None] * np.log1p(counts[None, :] / sizes[:, None])
            found[name] = weights @ (1 / (1 + np.exp(-logit)))
        return found

    @cached_property
    def _grid(self) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        import numpy as np

        pairs = [(slope, size) for slope in _SLOPES for size in (_SIZES if slope else _SIZES[:1])]
        return np.array([slope for slope, _ in pairs]), np.array([size for _, size in pairs])

    @cached_property
    def _prior(self) -> Any:
        import numpy as np

        slopes, _ = self._grid
        moving = (slopes > 0).sum()
        return np.where(slopes > 0, 0.8 / moving, 0.2)


def _measured(observation: Observation, skill: str) -> list[tuple[float, float, int]]:
    """By finished step: right answers, instances, and the records that the student had trained on."""
    found, records = [], 0
    for past in observation.history:
        records += past.allocation.get(skill, 0)
        accuracy = past.skills.get(skill)
        if accuracy is not None and accuracy.value is not None:
            found.append((accuracy.value * accuracy.n, float(accuracy.n), records))
    return found


def _normalised(log: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    weights = np.exp(log - log.max())
    return np.asarray(weights / weights.sum())
