"""Where a policy stands among the shipped results: its share of each challenge's gap, and what it is good at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from dataenvgym.suite.results import Result
from environments.statistics.gaps import Contest, Estimate, overall_share, pooled_deviation, share_of_gap
from tasks.errors import ConfigurationError

# A challenge whose yardsticks lie closer than so many standard deviations of a run is shown, but not scored.
_SMALLEST_GAP = 5.0


Metric = Literal["accuracy", "likelihood"]


class Paired(NamedTuple):
    """A difference of two policies over shared seeds: its mean in points, one-sided p of Student's paired t, seeds."""

    points: float
    p_value: float
    seeds: int


@dataclass(frozen=True)
class Table:
    """Results over seeds, by challenge and policy; all of one fingerprint by challenge.

    Args:
        results: The results.
        own: A policy that is being judged: what is scored, and how large noise is, are settled without it.
    """

    results: Sequence[Result]
    own: str | None = None

    def __post_init__(self) -> None:
        """Refuses results that do not belong together."""
        known: dict[str, str] = {}
        for one in self.results:
            if known.setdefault(one.challenge, one.fingerprint) != one.fingerprint:
                raise ConfigurationError(
                    f"Results of {one.policy} on {one.challenge} are stale: they are of other instances, settings or "
                    "another student than the others'; run it again."
                )

    @property
    def simulated(self) -> bool:
        """Whether the results are of simulated students."""
        return any(one.fingerprint.startswith("simulated") for one in self.results)

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], list[Result]]:
        found: dict[tuple[str, str], list[Result]] = {}
        for one in sorted(self.results, key=lambda one: one.seed):
            found.setdefault((one.challenge, one.policy), []).append(one)
        return found

    @property
    def challenges(self) -> list[str]:
        """The challenges, sorted."""
        return sorted({one.challenge for one in self.results})

    def policies(self, challenge: str) -> list[str]:
        """The policies with results on a challenge, sorted."""
        return sorted(policy for name, policy in self._by_key if name == challenge)

    def accuracies(self, challenge: str, policy: str) -> dict[int, float]:
        """Test accuracy by seed, fractions."""
        return {one.seed: one.accuracy for one in self._by_key.get((challenge, policy), [])}

    def accuracy(self, challenge: str, policy: str) -> float:
        """Mean test accuracy over seeds, a fraction."""
        return float(np.mean(list(self.accuracies(challenge, policy).values())))

    def likelihood(self, challenge: str, policy: str) -> float | None:
        """Mean likelihood of the reference replies on test, over seeds; None where a run has none."""
        found = self.values(challenge, policy, "likelihood")
        complete = found and len(found) == len(self.accuracies(challenge, policy))
        return float(np.mean(list(found.values()))) if complete else None

    def scores(self, challenge: str, policy: str) -> np.ndarray:
        """Test scores of shape (seeds, instances).

        Raises:
            ConfigurationError: There are none.
        """
        found = self._by_key.get((challenge, policy))
        if not found:
            raise ConfigurationError(f"There are no results of {policy} on {challenge}: run it there first.")
        return np.array([one.test for one in found], dtype=np.float64)

    def contest(self, challenge: str, policy: str, low: str = "random", high: str = "oracle") -> Contest:
        """A policy between two yardsticks."""
        return Contest(*(self.scores(challenge, name) for name in (policy, low, high)))

    def noise(self, challenge: str) -> float:
        """Standard deviation of a run about its policy's mean, a fraction, pooled over all policies but ``own``.

        NaN if none has two seeds.
        """
        names = [policy for policy in self.policies(challenge) if policy != self.own]
        return pooled_deviation([list(self.accuracies(challenge, policy).values()) for policy in names])

    def values(self, challenge: str, policy: str, metric: Metric = "accuracy") -> dict[int, float]:
        """Test accuracy or likelihood by seed, fractions; likelihoods are left out where a run has none."""
        if metric == "accuracy":
            return self.accuracies(challenge, policy)
        found = self._by_key.get((challenge, policy), [])
        return {one.seed: one.likelihood for one in found if one.likelihood is not None}

    def paired_difference(self, challenge: str, policy: str, other: str) -> Paired:
        """How far a policy is above another, paired by the seeds that both have.

        Raises:
            ConfigurationError: They share fewer than two seeds.
        """
        from scipy import stats

        one, two = self.accuracies(challenge, policy), self.accuracies(challenge, other)
        seeds = sorted(set(one) & set(two))
        if len(seeds) < 2:
            raise ConfigurationError(f"{policy} and {other} share fewer than two seeds on {challenge}: run more.")
        differences = np.array([one[seed] - two[seed] for seed in seeds])
        if np.ptp(differences) == 0:  # Student's t is not defined; policies that do the same tie exactly
            return Paired(100 * float(differences[0]), 0.5 if differences[0] == 0 else float("nan"), len(seeds))
        p_value = float(stats.ttest_1samp(differences, 0.0, alternative="greater").pvalue)
        return Paired(100 * float(differences.mean()), p_value, len(seeds))

    def scored(self, challenge: str, low: str = "random") -> bool:
        """Whether the gap from a yardstick to the oracle is wide enough to score teachers by it."""
        if not {low, "random", "oracle"} <= set(self.policies(challenge)):
            return False
        noise = self.noise(challenge)
        # The gap to even is the honest one, and narrower: it has to be there, and random's wide enough.
        wide = self.contest(challenge, "random").gap >= _SMALLEST_GAP * noise
        return wide and (low == "random" or self.contest(challenge, low, low).gap >= noise)

    def share(self, challenge: str, policy: str, low: str = "random") -> Estimate:
        """The share of the gap to the oracle that a policy closes on a challenge."""
        return share_of_gap(self.contest(challenge, policy, low))

    def overall(self, policy: str, low: str = "random") -> Estimate | None:
        """The interquartile mean of the shares over all scored challenges.

        None if the policy lacks results on one of them: a mean over the others would not compare.
        """
        names = [name for name in self.challenges if self.scored(name, low)]
        if not names or any(policy not in self.policies(name) for name in names):
            return None
        return overall_share({name: self.contest(name, policy, low) for name in names})
