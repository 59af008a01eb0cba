"""Simulated students against the real one: do they order teachers alike, and how far off are their scores?

    python scripts/validate_simulation.py                      # every challenge with shipped results and a law
    python scripts/validate_simulation.py global_math-v1 --seeds 5 --members 0 3 7

Every policy whose results ship is run on each challenge's simulated student, and its mean test accuracy compared with
the real one's. No run of a policy took part in fitting a law: laws are fitted to allocations at random, some even ones
and the best ones (scripts/fit_bank.py; *even* and *oracle* are much like those), on task seed 2; the challenges are of
seed 11. Pairs of policies count for *decision accuracy* if their real means differ by more than twice the standard
error of the difference, and all pairs beside it. ``--members`` are further simulated students (laws of resampled fits),
compared with the real one in the same way. About a second a run.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Collection, Mapping

import numpy as np
from scipy.stats import spearmanr

from dataenvgym.suite.challenges import Challenge, challenge, challenges
from dataenvgym.suite.shipped import baselines, policies_for
from dataenvgym.suite.simulated import law_of, simulate_all
from dataenvgym.suite.standing import Table
from environments.statistics.gaps import observed_agreement
from tasks.markdown import markdown_table

_HEADS = ["policy", "real", "seeds", "simulated", "sd", "difference"]


def compared(real: Mapping[str, float], other: Mapping[str, float], apart: Collection[tuple[str, str]]) -> list[str]:
    """Rank correlation, shares of pairs ordered alike (all, and those that are apart), and the error in points."""
    one, two = (np.array([means[name] for name in sorted(real)]) for means in (real, other))
    clear = f"{100 * observed_agreement(real, other, apart):.0f} % of {len(apart)}" if apart else ""
    return [
        f"{spearmanr(one, two).statistic:.2f}",
        f"{100 * observed_agreement(real, other):.0f} % of {math.comb(len(real), 2)}",
        clear,
        f"{100 * np.sqrt(np.mean((one - two) ** 2)):.1f}",
        f"{100 * np.mean(two - one):+.1f}",
    ]


def main() -> int:
    """Prints the policies of each challenge, real and simulated, and how well they agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("challenges", nargs="*", help="names (default: all with shipped results and a law)")
    parser.add_argument("--seeds", type=int, default=5, help="simulated runs of each policy")
    parser.add_argument("--members", type=int, nargs="*", default=[], help="further simulated students")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()

    named = [challenge(name) for name in arguments.challenges] or challenges()
    chosen = [one for one in named if law_of(one) and len({each.policy for each in baselines([one])}) > 2]
    if not chosen:
        print("None of these challenges has both shipped results and a law.", file=sys.stderr)
        return 2
    summary, students = [], []
    for one in chosen:
        rows, agreement, further = validate(one, arguments.seeds, arguments.members, arguments.jobs)
        print("\n".join([f"### {one.name}", "", *markdown_table(_HEADS, rows), ""]))
        summary.append([one.name, *agreement])
        students += [[one.name, *row] for row in further]
    heads = ["challenge", "Spearman", "pairs ordered alike", "of pairs apart", "error, points", "bias"]
    print("\n".join(markdown_table(heads, summary)))
    if students:
        heads[0:1] = ["challenge", "student"]
        print("\n".join(["", *markdown_table(heads, students)]))
    return 0


def validate(
    one: Challenge, seeds: int, members: list[int], jobs: int
) -> tuple[list[list[str]], list[str], list[list[str]]]:
    """A row for each policy, how the simulated student agrees with the real one, and how further ones do."""
    table = Table(baselines([one]))
    names = sorted(table.policies(one.name), key=lambda name: -table.accuracy(one.name, name))
    entries = [policies_for(one)[name].on(one, seed) for name in names for seed in range(seeds)]
    simulated = Table(simulate_all(entries, jobs))
    rows = []
    for name in names:
        real, drawn = table.accuracy(one.name, name), list(simulated.accuracies(one.name, name).values())
        cells = [f"{100 * real:.1f}", str(len(table.accuracies(one.name, name))), f"{100 * np.mean(drawn):.1f}"]
        spread = f"{100 * np.std(drawn, ddof=1):.1f}" if seeds > 1 else ""
        rows.append([name, *cells, spread, f"{100 * (np.mean(drawn) - real):+.1f}"])
    noise = table.noise(one.name)

    def means_of(of: Table) -> dict[str, float]:
        return {name: of.accuracy(one.name, name) for name in names}

    means = means_of(table)
    error = {name: noise / len(table.accuracies(one.name, name)) ** 0.5 for name in names}
    apart = [
        (a, b)
        for a, b in itertools.combinations(sorted(names), 2)
        if abs(means[a] - means[b]) > 2 * (error[a] ** 2 + error[b] ** 2) ** 0.5
    ]
    further = []
    for member in members:
        other = means_of(Table(simulate_all(entries, jobs, member)))
        further.append([str(member), *compared(means, other, apart)])
    return rows, compared(means, means_of(simulated), apart), further


if __name__ == "__main__":
    raise SystemExit(main())
