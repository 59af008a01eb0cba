"""Checks our own statistics by simulation: coverage where nothing has changed, and the bias of the best of ten steps.

    python benchmarks/statistics_check.py --pairs 1000

Students without any difference are compared again and again (an A/A check): a 95 % interval has to hold zero in 95 %
of the comparisons. Then ten steps that differ by noise alone are made, the best is chosen, and what it is said to have
gained is averaged: the naive number shows the bias of the choice, the corrected one and the test score do not.
"""

import time
from collections.abc import Callable

import numpy as np
from common import make_parser

from environments.statistics import (
    Gain,
    best_of_steps,
    clustered_gain,
    gain_of_proportions,
    mcnemar,
    paired_by_seed,
    paired_gain,
)

# Of a benchmark with 400 instances, as LiveCodeBench has, and a student at 20 %; bootstrap resamples are
# fewer than in reports (9,999), which makes single intervals a little rougher and leaves coverage as it is.
INSTANCES, ACCURACY, DISCORDANT, RESAMPLES = 400, 0.2, 0.15, 999


def answers(rng: np.random.Generator, n: int) -> list[float]:
    """0/1 scores of a student on n instances."""
    return (rng.random(n) < ACCURACY).astype(np.float64).tolist()  # type: ignore[no-any-return]


def pair(rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Two evaluations that disagree on some instances, neither better than the other."""
    before = answers(rng, INSTANCES)
    # Redrawing a share r of the answers makes a share 2 p (1 - p) r of them differ.
    redrawn = rng.random(INSTANCES) < DISCORDANT / (2 * ACCURACY * (1 - ACCURACY))
    return before, np.where(redrawn, answers(rng, INSTANCES), before).tolist()


def grouped_pair(
    rng: np.random.Generator, groups: int = 50, each: int = 4
) -> tuple[list[float], list[float], list[int]]:
    """Two evaluations of groups of four, in which a group's instances tend to change together."""
    levels = rng.beta(1, 1, size=(2, groups))
    before, after = ((rng.random(groups * each) < np.repeat(level, each)).astype(float).tolist() for level in levels)
    return before, after, [index // each for index in range(groups * each)]


def coverage(pairs: int, compare: Callable[[np.random.Generator], Gain]) -> tuple[float, float]:
    """In which share of so many comparisons the interval holds zero, and in which p is below 0.05."""
    gains = [compare(np.random.default_rng(seed)) for seed in range(pairs)]
    held = [gain.ci95 is not None and gain.ci95[0] <= 0 <= gain.ci95[1] for gain in gains]
    found = [gain.p_value is not None and gain.p_value < 0.05 for gain in gains]
    return float(np.mean(held)), float(np.mean(found))


COMPARISONS: dict[str, Callable[[np.random.Generator], Gain]] = {
    "paired by instance": lambda rng: paired_gain(*pair(rng), resamples=RESAMPLES),
    "McNemar, mid-p": lambda rng: Gain(0.0, None, mcnemar(*pair(rng))),
    "paired by seed (5 seeds)": lambda rng: paired_by_seed((0.02 * rng.standard_normal(5)).tolist()),
    "published proportions": lambda rng: gain_of_proportions(
        float(np.mean(answers(rng, INSTANCES))), float(np.mean(answers(rng, INSTANCES))), INSTANCES
    ),
    "groups of 4, by group": lambda rng: clustered_gain(*grouped_pair(rng)),
    "groups of 4, groups ignored": lambda rng: paired_gain(*grouped_pair(rng)[:2], resamples=RESAMPLES),
}


def best_of_noise(episodes: int, steps: int = 10, n: int = INSTANCES) -> dict[str, float]:
    """What the best of so many steps seems to gain over a student that never changes, in points, on average."""
    naive, corrected, test = [], [], []
    for seed in range(episodes):
        rng = np.random.default_rng(seed)
        val = {step: answers(rng, n) for step in range(steps)}
        held_out = {step: answers(rng, n) for step in range(steps)}
        best = best_of_steps(val, splits=100, seed=seed)
        naive.append(best.naive - ACCURACY)
        corrected.append(best.corrected - ACCURACY)
        test.append(float(np.mean(held_out[best.step])) - ACCURACY)
    return {
        name: 100 * float(np.mean(values))
        for name, values in (("naive", naive), ("corrected", corrected), ("test", test))
    }


def main() -> None:
    """Prints coverage and biases."""
    parser = make_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=1000, help="comparisons of each kind, and episodes of noise")
    pairs = parser.parse_args().pairs
    start = time.monotonic()
    print(f"{'comparison without a difference':<34}{'zero in the 95 % interval':>28}{'p < 0.05':>12}")
    for name, compare in COMPARISONS.items():
        held, found = coverage(pairs, compare)
        shown = "(no interval)" if name.startswith("McNemar") else f"{100 * held:.1f} %"
        print(f"{name:<34}{shown:>28}{100 * found:>10.1f} %", flush=True)
    biases = best_of_noise(pairs)
    print(f"\nbest of ten steps of noise, {INSTANCES} instances, {pairs} episodes: seeming gain in points")
    for name, bias in biases.items():
        print(f"{name:<34}{bias:>+28.2f}")
    print(f"\n{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
