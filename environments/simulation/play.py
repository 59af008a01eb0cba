"""Policies on simulated students without texts: counts in, accuracies out, a few milliseconds a game."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from environments.simulation.randomized import DrawnGames, rates_of
from tasks.errors import ConfigurationError
from tasks.types import Accuracy
from teachers.observation import PastStep, SkillListObservation
from teachers.plan import DataSpec
from teachers.teacher import Policy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Played:
    """One game that a policy played.

    Args:
        expected: Final accuracy on the exam that the law expects: what a policy is judged by, without noise.
        allocation: All records, by skill.
        seen: What validation showed over all skills, by step, step 0 first.
    """

    expected: float
    allocation: "NDArray[np.float64]"
    seen: Sequence[float]


def play(policy: Policy, games: DrawnGames, place: int, skills: Sequence[str], records: int, steps: int) -> Played:
    """One game in the way of the Skill-List environment, with whole records, one call a step and no texts.

    Policies that read errors or order by ``like`` need the environment itself, with SimulatedStudent.

    Args:
        policy: What is judged.
        games: Students and exams.
        place: Which of them; it also seeds the noise and what the policy draws, the same for all policies.
        skills: Names of the skills.
        records: Budget of the episode.
        steps: Steps over which it may be spread.

    Raises:
        ConfigurationError: The policy acts on trees, by ``like``, without a skill, or orders more than there is.
    """
    import numpy as np

    one = _only(games, place)
    rates, rng = rates_of(one, np), np.random.default_rng([place, len(skills), records, steps])
    counts, last = np.zeros((1, len(skills))), np.zeros(len(skills))
    history: list[PastStep] = []
    seen: list[float] = []
    for step in range(steps):
        measured = _measured(one, one.expected(rates, counts, np)[0], step == 0, rng)
        shown = {name: Accuracy(value, n) for name, (value, n) in zip(skills, measured, strict=True)}
        overall = sum((value or 0.0) * n for value, n in measured) / sum(n for _, n in measured)
        seen.append(overall)
        accuracy = Accuracy(overall, sum(n for _, n in measured))
        allocation = {name: int(count) for name, count in zip(skills, last, strict=True) if count}
        history.append(PastStep(step, accuracy, int(last.sum()), shown, allocation))
        left = records - int(counts.sum())
        action = policy.act(
            SkillListObservation(step, place, False, accuracy, (), tuple(history), left, steps - step, skills=shown)
        )
        last = _dealt(policy, action, skills, left)
        counts = counts + last
    final = one.expected(rates, counts, np)[0]
    return Played(float(final @ one.exam[0]), counts[0], seen)


def finals(policy: Policy, games: Sequence[DrawnGames], records: int, steps: int) -> "NDArray[np.float64]":
    """The final accuracies that the law expects of a policy in all games, one after the other."""
    import numpy as np

    return np.array(
        [
            play(policy, one, place, [f"skill {n}" for n in range(one.exam.shape[1])], records, steps).expected
            for one in games
            for place in range(len(one.exam))
        ]
    )


def _dealt(policy: Policy, action: Any, skills: Sequence[str], left: int) -> "NDArray[np.float64]":
    import numpy as np

    name, ordered = type(policy).__name__, np.zeros(len(skills))
    if isinstance(action, Mapping) or not all(isinstance(spec, DataSpec) and spec.skill in skills for spec in action):
        raise ConfigurationError(f"{name} does not order records by skill alone: judge it with dataenvgym suite.")
    for spec in action:
        ordered[skills.index(spec.skill)] += spec.count
    if ordered.sum() > left:
        raise ConfigurationError(f"{name} ordered {ordered.sum():.0f} records where {left} were left.")
    return ordered


def _measured(
    games: DrawnGames, expected: "NDArray[np.float64]", untrained: bool, rng: "np.random.Generator"
) -> list[tuple[float | None, int]]:
    """Accuracy and instances by skill, as validation shows them."""
    import numpy as np

    sizes = games.sizes[0]
    variance = games.variance(expected, sizes, games.run_sd[0], not untrained, np)
    noisy = np.clip(expected + np.sqrt(variance) * rng.standard_normal(len(sizes)), 0, 1)
    return [(round(value * n) / n if n else None, int(n)) for value, n in zip(noisy, sizes, strict=True)]


def _only(games: DrawnGames, place: int) -> DrawnGames:
    """One game of many."""
    own = slice(place, place + 1)
    parameters = {name: value[own] for name, value in games.parameters.items()}
    return DrawnGames(parameters, games.exam[own], games.sizes[own], games.run_sd[own], games.fresh)


def best_of(games: DrawnGames, records: int, restarts: int = 4) -> "NDArray[np.float64]":
    """The most that any allocation of the budget is expected to reach in each game, found by gradient: (games,).

    Under a static law this bounds every policy. Records can be divided, which makes the bound a little high.
    """
    import numpy as np
    import torch

    rates = rates_of(games, torch, torch.as_tensor)
    exam = torch.as_tensor(games.exam)
    best = torch.zeros(len(games.exam), dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for turn in range(restarts):
        start = torch.randn(exam.shape, generator=generator, dtype=torch.float64) * (0.01 if turn == 0 else 1.5)
        free = (start + 3 * (exam > 0) + torch.log(exam + 1e-3) * (turn == 0)).requires_grad_(True)
        optimizer = torch.optim.Adam([free], lr=0.1)
        for _ in range(250):
            optimizer.zero_grad()
            found = (games.expected(rates, records * free.softmax(-1), torch) * exam).sum(-1)
            (-found.sum()).backward()
            optimizer.step()
        best = torch.maximum(best, found.detach())
    return np.asarray(best)
