"""Students at random, around the laws of real ones: what a policy is trained on that has to do well on any student."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from environments.simulation.bank import Fit
from environments.simulation.calibration import resampled_weights
from environments.simulation.law import TRANSFER_PENALTY, StaticLaw, allocation_key, fit_law, logits, rates
from tasks.errors import ConfigurationError, check_range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Standard deviations of what is added to a parameter, and how a game is drawn.
_SPREAD = {"z": 0.5, "log_b": 0.3, "log_D": 0.4, "log_c": 0.4}
_UNLEARNABLE = 0.4  # most of the skills that do not move, on average over games half as many
_WRONG = 0.15  # the same of those whose records teach errors


@dataclass(frozen=True)
class DrawnGames:
    """Games with a student and an exam each, all of the same number of skills.

    Args:
        parameters: Of one law for each game, as in StaticLaw.
        exam: Weights of the skills in the final score, of shape (games, skills); each game's sum to 1.
        sizes: Validation instances by skill, of the same shape; 0 where a skill is not asked.
        run_sd: Standard deviation between runs of a skill's logit, of shape (games, 1).
        fresh: Share of the variance of an accuracy of few instances that differs from run to run.
    """

    parameters: "dict[str, NDArray[np.float64]]"
    exam: "NDArray[np.float64]"
    sizes: "NDArray[np.float64]"
    run_sd: "NDArray[np.float64]"
    fresh: float

    def expected(self, rates: Any, counts: Any, xp: Any) -> Any:
        """Accuracies by skill after records of shape (games, skills); ``rates`` are those of ``parameters``."""
        return 1 / (1 + xp.exp(-logits(rates, counts[:, None, :], xp)[:, 0]))

    def variance(self, expected: Any, sizes: Any, run_sd: Any, trained: bool, xp: Any) -> Any:
        """The variance of measured accuracies, (games, skills); ``sizes`` and ``run_sd`` are the games', for ``xp``."""
        slope = expected * (1 - expected)
        of_instances = slope * ((self.fresh if trained else 1.0) / xp.clip(sizes, 1, None))
        return of_instances + (slope * run_sd) ** 2 if trained else of_instances


def half_of(fits: Sequence[Fit], half: int, seed: int = 5) -> list[Fit]:
    """Every other allocation with its replicates, in an order at random; the untrained student is in both halves."""
    import numpy as np

    groups = sorted({allocation_key(fit.allocation) for fit in fits if fit.allocation})
    order = np.random.default_rng(seed).permutation(len(groups))
    mine = {groups[place] for place in order[half::2]}
    return [fit for fit in fits if not fit.allocation or allocation_key(fit.allocation) in mine]


def laws_of(fits: Sequence[Fit], half: int | None, members: int = 12, transfer: bool = True) -> list[StaticLaw]:
    """Laws of each world of a bank: one of all fits of a half (None for all), the others of resampled ones."""
    penalty = TRANSFER_PENALTY if transfer else 1e9
    found = []
    for world in dict.fromkeys(fit.world for fit in fits):
        of = [fit for fit in fits if fit.world == world]
        chosen = of if half is None else half_of(of, half)
        found.append(fit_law(chosen, tuple(of[0].scores["val"]), resampled_weights(chosen, members, 0), penalty))
    return found


def draw_games(
    laws: Sequence[StaticLaw],
    number: int,
    rng: "np.random.Generator",
    skills: int | None = None,
    perturbed: bool = True,
    fresh: float = 0.4,
) -> DrawnGames:
    """Draws games.

    A student is one of the laws' members; ``perturbed``, half of them learn a skill as another one is learnt, all
    parameters are moved, transfer goes between other skills, some skills learn nothing (and may be forgotten) and the
    records of some teach errors. The exam asks 3 or more skills, evenly or with uneven weights (Dirichlet), in 100 to
    500 validation instances.

    Args:
        laws: Laws of as many skills each.
        number: How many games.
        rng: Decides all of it.
        skills: How many of the skills a game has, drawn from the law's; None for all.
        perturbed: False for the students as they were fitted.
        fresh: See DrawnGames.

    Raises:
        ConfigurationError: The laws have fewer skills, or a number is below 1.
    """
    import numpy as np

    members = {name: np.concatenate([law.parameters[name] for law in laws]) for name in laws[0].parameters}
    drawn = rng.integers(len(members["z"]), size=number)
    width = len(laws[0].skills)
    check_range("draw_games", number=number, skills=skills)
    if skills is not None and skills > width:
        raise ConfigurationError(f"A game of {skills} skills cannot be drawn from laws of {width}: ask for fewer.")
    size = skills or width
    own = {name: of[drawn] for name, of in members.items()}
    kept = rng.permuted(np.tile(np.arange(width), (number, 1)), axis=1)[:, :size]
    learnt = kept
    if perturbed:
        other = rng.permuted(np.tile(np.arange(width), (number, 1)), axis=1)[:, :size]
        learnt = np.where(rng.random((number, 1)) < 0.5, kept, other)
    moved = rng.permuted(np.tile(np.arange(width), (number, 1)), axis=1)[:, :size] if perturbed else kept
    rows = np.arange(number)[:, None]
    made = {name: own[name] for name in ("h", "log_F", "log_R")}
    made |= {name: own[name][rows, learnt if name in ("log_b", "log_D") else kept] for name in _SPREAD}
    made["W"] = own["W"][rows[:, :, None], moved[:, :, None], moved[:, None, :]]
    if perturbed:
        for name, spread in _SPREAD.items():
            made[name] = made[name] + spread * rng.standard_normal((number, size))
        made["W"] = made["W"] * (1 + 0.5 * rng.standard_normal(made["W"].shape))
        stuck = rng.random((number, size)) < _UNLEARNABLE * rng.random((number, 1))
        # Half of them are of kinds of answer that the student has never given.
        made["z"] = np.where(stuck & (rng.random((number, size)) < 0.5), -6.0, made["z"])
        made["W"] = made["W"] * ~stuck[:, :, None]
        wrong = rng.random((number, size)) < _WRONG * rng.random((number, 1))
        made["sign"] = np.where(stuck, 0.0, np.where(wrong, -rng.uniform(0.2, 1.2, (number, size)), 1.0))
    exam = _exams(number, size, rng)
    instances = exam * np.exp(rng.uniform(np.log(100), np.log(500), (number, 1)))
    sizes = np.where(exam > 0, np.maximum(1, np.round(instances)), 0.0)
    return DrawnGames(made, sizes / sizes.sum(1, keepdims=True), sizes, rng.uniform(0.1, 0.3, (number, 1)), fresh)


def rates_of(games: DrawnGames, xp: Any, convert: Any = lambda value: value) -> dict[str, Any]:
    """The rates of drawn games, of which some skills' are 0 or negative."""
    found = rates({name: convert(value) for name, value in games.parameters.items() if name != "sign"}, xp)
    if "sign" in games.parameters:
        found["b"] = found["b"] * convert(games.parameters["sign"])
    return found


def _exams(number: int, size: int, rng: "np.random.Generator") -> "NDArray[np.float64]":
    import numpy as np

    asked = rng.permuted(np.tile(np.arange(size), (number, 1)), axis=1) < rng.integers(
        min(3, size), size + 1, (number, 1)
    )
    shape = rng.choice([1.0, 3.0, 1e6], size=(number, 1))  # uneven, less so, even
    weights = rng.gamma(np.broadcast_to(shape, asked.shape)) * asked + 1e-9 * asked
    return np.asarray(weights / weights.sum(1, keepdims=True))
