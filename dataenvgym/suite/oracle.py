"""The best static allocation that is known for a challenge, by laws fitted to its bank of fits."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from dataenvgym.suite.challenges import Challenge
from environments.simulation import Fit, best_allocation, fit_law
from environments.simulation.calibration import resampled_weights
from environments.simulation.law import StaticLaw
from environments.simulation.optimum import exam_accuracy

_BOOTSTRAPS = 12


def best_known(challenge: Challenge, fits: Sequence[Fit], skills: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """The best allocation by the mean of laws fitted to resampled fits, and what is known of it.

    Resampled are allocations, with all their replicates. ``predicted`` is the exam accuracy that the laws expect and
    its standard deviation over them; ``short_of_optimum`` the mean, over laws, of what each one's own best allocation
    would gain over this one if that law held; ``verified`` the accuracies of earlier rounds' best allocations, made for
    real on the bank's seeds; the shipped results of ``oracle`` are of this one, on fresh seeds and instances.
    """
    import numpy as np

    names = tuple(skills)
    laws = fit_law(fits, names, resampled_weights(fits, 1 + _BOOTSTRAPS, seed))
    allocation = best_allocation(laws, challenge.exam, challenge.max_records)

    def expected(law: StaticLaw, counts: dict[str, int]) -> "np.ndarray[Any, Any]":
        row = np.array([[counts.get(skill, 0) for skill in names]])
        return exam_accuracy(law.accuracy(row), names, challenge.exam)[:, 0]

    predicted, short = expected(laws, allocation), []
    for index in range(len(predicted)):
        one = StaticLaw(names, {name: value[index : index + 1] for name, value in laws.parameters.items()})
        own = best_allocation(one, challenge.exam, challenge.max_records, restarts=6)
        short.append(float(expected(one, own)[0] - predicted[index]))
    return {
        "allocation": allocation,
        "predicted": {"accuracy": round(float(predicted.mean()), 4), "sd": round(float(predicted.std(ddof=1)), 4)},
        "short_of_optimum": {"mean": round(mean(short), 4), "most": round(max(short), 4)},
        "verified": _verified(challenge, fits, names),
        "world": challenge.world,
        "exam": challenge.exam,
        "max_records": challenge.max_records,
        "fits": len(fits),
    }


def _verified(challenge: Challenge, fits: Sequence[Fit], skills: tuple[str, ...]) -> list[dict[str, Any]]:
    import numpy as np

    rounds: dict[str, list[float]] = {}
    for fit in fits:
        if fit.kind.startswith("optimum") and fit.kind.endswith(f" {challenge.name}"):
            accuracies = np.array([fit.accuracy(skill) for skill in skills])
            rounds.setdefault(fit.kind.split()[1], []).append(float(exam_accuracy(accuracies, skills, challenge.exam)))
    return [
        {
            "round": int(number),
            "accuracy": round(mean(values), 4),
            "sd": round(stdev(values), 4) if len(values) > 1 else None,
            "fits": len(values),
        }
        for number, values in sorted(rounds.items())
    ]
