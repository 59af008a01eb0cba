"""Curriculum heuristics of the literature as allocations over skills; each is a rule for what a skill is worth now.

All recompute what they know from the episode's history, so that an interrupted run goes on as if nothing had happened.
"""

import math
import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tasks.base import Task
from tasks.errors import check_range
from tasks.types import Accuracy
from teachers.observation import Observation, PastStep
from teachers.policies.sharing import error_rates, exam_shares, skills_shown
from teachers.policies.skill_list import ErrorProportionalPolicy


class HighLossPolicy(ErrorProportionalPolicy):
    """Gives each skill records by how unlikely the student finds the right answers, where others count wrong ones.

    Plain selection of what has a high loss is hard to beat (arXiv 2512.00884). The loss is bounded, one minus the mean
    likelihood of the reference replies; where a task has none, it is the error rate.

    Args:
        task: The task to teach.
        settings: Those of ErrorProportionalPolicy: records_per_step, floor and exponent.
    """

    def __init__(self, task: Task, **settings: Any) -> None:
        super().__init__(task, **{"floor": 0.1, "exponent": 1.0, **settings})

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        skills = skills_shown(self, observation)
        errors = error_rates(observation, skills)
        return {name: errors[name] if one.likelihood is None else 1 - one.likelihood for name, one in skills.items()}


class LearningProgressPolicy(ErrorProportionalPolicy):
    """Gives each skill records by how fast its accuracy has been changing, up or down (Matiisen et al. 2017).

    Progress is the absolute change over the last steps, each counting half as much as the one after it; a skill with
    no history is as promising as the average one.

    Args:
        task: The task to teach.
        optimism: Progress that is added to all, so that what has not moved yet is tried again.
        settings: Those of ErrorProportionalPolicy: records_per_step, floor and exponent.
    """

    def __init__(self, task: Task, optimism: float = 0.02, **settings: Any) -> None:
        super().__init__(task, **{"floor": 0.2, "exponent": 1.0, **settings})
        check_range(type(self).__name__, 0, optimism=optimism)
        self.optimism = optimism

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        needs = {}
        for skill in skills_shown(self, observation):
            weight, progress = 1.0, 0.0
            for change, _ in reversed(changes(observation.history, skill)):
                progress += weight * abs(change)
                weight /= 2
            needs[skill] = progress + self.optimism
        return needs


class Exp3Policy(ErrorProportionalPolicy):
    """The adversarial bandit EXP3 (Auer et al. 2002) with skills as arms, as Graves et al. (2017) used it.

    The reward of a skill is the change of its accuracy; it is divided by the skill's share of the step's records, the
    probability with which the arm was pulled. Weights grow exponentially with the sum of rewards.

    Args:
        task: The task to teach.
        rate: The exponent's factor.
        settings: Those of ErrorProportionalPolicy; ``floor`` is EXP3's share of exploration, here by how often skills
            are asked.
    """

    def __init__(self, task: Task, rate: float = 0.3, **settings: Any) -> None:
        super().__init__(task, **{"floor": 0.2, "exponent": 1.0, **settings})
        check_range(type(self).__name__, 0, rate=rate)
        self.rate = rate

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        skills = skills_shown(self, observation)
        least = self.floor / len(skills) if self.floor else 1 / (4 * len(skills))
        totals = {
            skill: sum(change / max(share, least) for change, share in changes(observation.history, skill) if share)
            for skill in skills
        }
        highest = max(totals.values())
        return {skill: math.exp(self.rate * (total - highest)) for skill, total in totals.items()}


class PrioritizedReplayPolicy(ErrorProportionalPolicy):
    """Prioritized level replay (Jiang et al. 2021) over skills: by rank of the score, mixed with staleness.

    The score is the error rate, the part of a regret that is known here; a skill is the staler, the more steps ago it
    last got records.

    Args:
        task: The task to teach.
        temperature: Of the ranks: weights are ``rank ** (-1 / temperature)``.
        staleness: Share of the weights that is dealt by staleness.
        floor: Share of the records dealt by how often skills are asked.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def __init__(
        self,
        task: Task,
        temperature: float = 1.0,
        staleness: float = 0.1,
        floor: float = 0.0,
        records_per_step: int | None = None,
    ) -> None:
        super().__init__(task, records_per_step, floor, exponent=1.0)
        check_range(type(self).__name__, 0, 1, staleness=staleness)
        check_range(type(self).__name__, 0.01, temperature=temperature)
        self.temperature = temperature
        self.staleness = staleness

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        skills = skills_shown(self, observation)
        asked, errors = exam_shares(skills), error_rates(observation, skills)
        names = sorted(_shuffled(observation, skills, asked), key=lambda name: -asked[name] * errors[name])
        ranked = {name: (rank + 1) ** (-1 / self.temperature) for rank, name in enumerate(names)}
        stale = {name: float(_steps_without(observation.history, name)) for name in names}
        totals = sum(ranked.values()) or 1.0, sum(stale.values()) or 1.0
        mixed = {
            name: (1 - self.staleness) * ranked[name] / totals[0] + self.staleness * stale[name] / totals[1]
            for name in names
        }
        # The caller multiplies by how often a skill is asked, which the rank contains already.
        return {name: mixed[name] / asked[name] if name in mixed else 0.0 for name in skills}


class SuccessiveHalvingPolicy(ErrorProportionalPolicy):
    """Successive halving (Jamieson and Talwalkar 2016) over skills: after every step, the half that gained least goes.

    A skill's gain is the change of its accuracy since it was last the same number of skills, times how often it is
    asked; at least ``keep`` skills stay.

    Args:
        task: The task to teach.
        keep: Skills that are never dropped below.
        floor: Share of the records dealt by how often skills are asked.
        records_per_step: Records per teacher call; None spreads the budget evenly over the calls left.
    """

    def __init__(self, task: Task, keep: int = 3, floor: float = 0.0, records_per_step: int | None = None) -> None:
        super().__init__(task, records_per_step, floor, exponent=1.0)
        check_range(type(self).__name__, keep=keep)
        self.keep = keep

    def _needs(self, observation: Observation) -> Mapping[str, float]:
        skills = skills_shown(self, observation)
        asked = exam_shares(skills)
        left = _shuffled(observation, skills, asked)
        for before, after in pairwise(observation.history):
            gains = {name: asked[name] * (_value(after, name) - _value(before, name)) for name in left}
            left = sorted(left, key=lambda name: -gains[name])[: max(self.keep, -(-len(left) // 2))]
        return {name: float(name in left) for name in skills}


def _shuffled(observation: Observation, skills: Mapping[str, Accuracy], asked: Mapping[str, float]) -> list[str]:
    """The skills that are asked, in an order that breaks ties: another one in every run, the same in all its steps."""
    names = [name for name in skills if asked[name]]
    random.Random(f"{observation.seed}/bandits/ties").shuffle(names)
    return names


def changes(history: tuple[PastStep, ...], skill: str) -> list[tuple[float, float]]:
    """By step that was measured, how far a skill's accuracy moved, and its share of the step's records."""
    found = []
    for before, after in pairwise(history):
        one, other = before.skills.get(skill), after.skills.get(skill)
        if one is None or other is None or one.value is None or other.value is None:
            continue
        share = after.allocation.get(skill, 0) / after.records if after.records else 0.0
        found.append((other.value - one.value, share))
    return found


def _value(past: PastStep, skill: str) -> float:
    accuracy = past.skills.get(skill)
    return 0.0 if accuracy is None or accuracy.value is None else accuracy.value


def _steps_without(history: tuple[PastStep, ...], skill: str) -> int:
    return next((age for age, past in enumerate(reversed(history)) if past.allocation.get(skill)), len(history))
