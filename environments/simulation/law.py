"""A static law of a student: accuracy by skill from the records that it was trained on, by skill.

Under the rule "train from base on all records so far" a student depends on the set of its records and not on their
order, so that a law of counts is all there is to know on average. For skill i with n_i of N records:

    logit a_i = z_i + b_i log(1 + n_i / D_i) (1 + h log(1 + N / 100))      its own records, from a pre-learnt size D
                - c_i log(1 + (N - n_i) / F) / (1 + n_i / R)              what others make it forget, less with records
                + sum_j W_ij log(1 + n_j / 20)                             transfer

after the rectified scaling law of fine-tuning (Lin et al. 2024) with forgetting and transfer added. It is fitted by
penalised binomial likelihood: spread of b, D and c between skills, and all transfer, have to be paid for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from environments.simulation.bank import Fit

if TYPE_CHECKING:  # imported where they are used, since reading a bank needs neither
    import numpy as np
    from numpy.typing import NDArray

# Instances of a skill that a fit's accuracy counts for: fewer than there are, since two fits of one allocation differ
# by more than the drawing of instances.
_EFFECTIVE = 24.0
TRANSFER_PENALTY = 60.0


@dataclass(frozen=True)
class StaticLaw:
    """Laws of one form with different parameters, one or several (bootstraps, folds).

    Args:
        skills: The skills, in the order of all arrays.
        parameters: By name, of shape (laws, skills), (laws, skills, skills) for ``W`` and (laws, 1) for scalars.
    """

    skills: tuple[str, ...]
    parameters: "dict[str, NDArray[np.float64]]"

    def accuracy(self, counts: "NDArray[Any]") -> "NDArray[np.float64]":
        """Accuracies from counts of shape (..., skills), of shape (laws, ..., skills)."""
        import numpy as np

        rows = np.asarray(counts, dtype=np.float64).reshape(-1, len(self.skills))
        return sigmoid(logits(rates(self.parameters, np), rows, np)).reshape(-1, *np.shape(counts))


def sigmoid(values: "NDArray[Any]") -> "NDArray[np.float64]":
    """Probabilities from logits."""
    import numpy as np

    return np.asarray(1 / (1 + np.exp(-values)))


def logit(values: "NDArray[Any]", least: float = 0.002) -> "NDArray[np.float64]":
    """Logits of probabilities, of which those that are 0 or 1 in few instances are held ``least`` inside."""
    import numpy as np

    inside = np.clip(values, least, 1 - least)
    return np.asarray(np.log(inside / (1 - inside)))


def allocation_key(allocation: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """An allocation as a key, to group replicates by."""
    return tuple(sorted(allocation.items()))


def rates(parameters: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    """Parameters as the formula has them: those that are fitted as logarithms are given back as numbers."""
    return {name.removeprefix("log_"): xp.exp(of) if name.startswith("log_") else of for name, of in parameters.items()}


def logits(rates: Mapping[str, Any], counts: Any, xp: Any) -> Any:
    """The formula above, of shape (laws, fits, skills).

    Args:
        rates: Parameters by ``rates``; without ``W``, transfer is left out.
        counts: Of shape (fits, skills), or of one law each, (laws, fits, skills).
        xp: ``numpy`` or ``torch``, whichever both are arrays of.
    """
    if counts.ndim == 2:
        counts = counts[None]
    total = counts.sum(-1)[..., None]
    of = {name: value[:, None, :] for name, value in rates.items() if name != "W"}
    # log(1 + x) and not log1p(x), which NumPy computes ten times as slowly; no x is negative or very small.
    own = of["b"] * xp.log(1 + counts / of["D"]) * (1 + of["h"] * xp.log(1 + total / 100))
    lost = of["c"] * xp.log(1 + (total - counts) / of["F"]) / (1 + counts / of["R"])
    alone = of["z"] + own - lost
    return alone + xp.log(1 + counts / 20) @ xp.swapaxes(rates["W"], -1, -2) if "W" in rates else alone


def arrays_of(fits: Sequence[Fit], skills: Sequence[str]) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Counts and accuracies (both splits together) of fits, of shape (fits, skills)."""
    import numpy as np

    counts = np.array([[fit.allocation.get(skill, 0) for skill in skills] for fit in fits], dtype=np.float64)
    return counts, np.array([[fit.accuracy(skill) for skill in skills] for fit in fits], dtype=np.float64)


def fit_law(
    fits: Sequence[Fit],
    skills: Sequence[str],
    weights: "NDArray[np.float64] | None" = None,
    transfer_penalty: float = TRANSFER_PENALTY,
    iterations: int = 150,
) -> StaticLaw:
    """The laws of a bank's fits.

    Args:
        fits: Fits of one world; one without records says where the student starts.
        skills: The skills of the law.
        weights: How much each fit counts, of shape (laws, fits): one law is fitted for each row; None for one law.
        transfer_penalty: Ridge penalty of transfer between skills; a very large one switches it off.
        iterations: Most iterations of L-BFGS.
    """
    import math

    import numpy as np
    import torch

    counts, accuracies = (torch.as_tensor(part) for part in arrays_of(fits, skills))
    share = torch.ones(1, len(fits), dtype=torch.float64) if weights is None else torch.as_tensor(np.asarray(weights))
    laws, width = len(share), len(skills)
    targets = accuracies.clamp(1 / 288, 1 - 1 / 288)

    def filled(value: float, *shape: int) -> Any:
        return torch.full((laws, *shape), value, dtype=torch.float64)

    untrained = counts.sum(1) == 0
    start = targets[untrained].mean(0) if bool(untrained.any()) else targets.mean(0)
    parameters = {
        "z": torch.logit(start.clamp(0.01, 0.99)).expand(laws, width).clone(),
        "log_b": filled(0.0, width),
        "log_D": filled(math.log(15), width),
        "log_c": filled(-1.0, width),
        "W": filled(0.0, width, width),
        "h": filled(0.0, 1),
        "log_F": filled(math.log(100), 1),
        "log_R": filled(math.log(30), 1),
    }
    for value in parameters.values():
        value.requires_grad_(True)

    def penalty() -> Any:
        spread = sum(
            weight * (parameters[name] - parameters[name].mean(1, keepdim=True)).square().sum(1)
            for name, weight in (("log_b", 2.0), ("log_D", 2.0), ("log_c", 1.0))
        )
        level = 0.1 * (
            parameters["log_b"].mean(1).square()
            + parameters["log_c"].mean(1).square()
            + (parameters["log_D"].mean(1) - math.log(15)).square()
        )
        scalars = (
            4 * parameters["h"].square()
            + 0.5 * (parameters["log_F"] - math.log(100)).square()
            + 0.5 * (parameters["log_R"] - math.log(30)).square()
        ).sum(1)
        transfer = transfer_penalty * parameters["W"].square().sum((1, 2))
        return spread + level + scalars + transfer + 0.05 * parameters["z"].square().sum(1)

    optimizer = torch.optim.LBFGS(
        list(parameters.values()),
        max_iter=iterations,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_change=1e-7,
    )

    def closure() -> Any:
        optimizer.zero_grad()
        found = logits(rates(parameters, torch), counts, torch)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(found, targets.expand_as(found), reduction="none")
        objective = ((_EFFECTIVE * losses.sum(-1) * share).sum(1) + penalty()).sum() / len(fits)
        objective.backward()
        return objective

    with torch.enable_grad():
        optimizer.step(closure)
    return StaticLaw(tuple(skills), {name: value.detach().numpy() for name, value in parameters.items()})


def cross_validated(
    fits: Sequence[Fit], skills: Sequence[str], folds: int = 10, seed: int = 0
) -> "NDArray[np.float64]":
    """The accuracies of all fits by laws that were fitted without them, of shape (fits, skills).

    Fits of one allocation fall into one fold: a replicate would give its twin away.
    """
    import numpy as np

    groups = [allocation_key(fit.allocation) for fit in fits]
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {name: int(order[place]) % folds for place, name in enumerate(names)}
    held_out = np.array([fold_of[group] for group in groups])
    weights = (held_out[None, :] != np.arange(folds)[:, None]).astype(np.float64)
    counts, _ = arrays_of(fits, skills)
    predicted = fit_law(fits, skills, weights).accuracy(counts)
    return np.asarray(predicted[held_out, np.arange(len(fits))])
