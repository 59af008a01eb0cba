"""Do different simulated students order policies alike? The rank correlations of their orders, as a matrix.

    python scripts/order_of_policies.py --games 60

A policy that was developed on one simulated student exploits its errors; what holds on several has a chance to hold on
a real one. Students are laws of either half of the mathematics bank's allocations, of the second half without transfer
between skills, drawn at random around it, and of the second domain's bank. All play exams drawn at random; a policy's
place is by the mean accuracy that the law expects at the end.
"""

import argparse
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from compare_policies import made
from rich.console import Console
from rich.progress import track
from scipy.stats import spearmanr

from dataenvgym.suite.shipped import BANKS
from environments.simulation import StaticLaw, read_bank
from environments.simulation.play import finals
from environments.simulation.randomized import DrawnGames, draw_games, laws_of
from tasks.errors import DataEnvGymError
from tasks.markdown import markdown_table


def students(games: int, seed: int) -> dict[str, list[DrawnGames]]:
    """Games of each student, some of each of its worlds."""
    fits = read_bank(BANKS / "math.jsonl.gz")
    other = read_bank(BANKS / "vqa.jsonl.gz")

    def drawn(laws: Sequence[StaticLaw], perturbed: bool = False) -> list[DrawnGames]:
        rng = np.random.default_rng(seed)
        return [draw_games([law], -(-games // len(laws)), rng, perturbed=perturbed) for law in laws]

    second = laws_of(fits, 1)
    alone = [
        StaticLaw(law.skills, {**law.parameters, "W": np.zeros_like(law.parameters["W"])})
        for law in laws_of(fits, 1, transfer=False)
    ]
    return {
        "first half": drawn(laws_of(fits, 0)),
        "second half": drawn(second),
        "without transfer": drawn(alone),
        "drawn around it": drawn(second, perturbed=True),
        "second domain": drawn(laws_of(other, None)),
    }


def main() -> int:
    """Plays, and prints the accuracies and the matrix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", type=int, default=60, help="of each student")
    parser.add_argument("--records", type=int, default=300)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    try:
        every = made(None, "global_math-v1")
        policies = {name: policy for name, policy in every.items() if not name.startswith("expected_gain_")}
        drawn = students(arguments.games, arguments.seed)
    except DataEnvGymError as error:
        print(f"order_of_policies: error: {error}", file=sys.stderr)
        return 2
    shown = track(drawn.items(), "students", console=Console(stderr=True), transient=True)
    means = {
        name: [float(finals(policy, games, arguments.records, arguments.steps).mean()) for policy in policies.values()]
        for name, games in shown
    }
    first = next(iter(means.values()))
    rows = [
        [name, *(f"{100 * means[student][place]:.1f}" for student in means)]
        for place, name in sorted(enumerate(policies), key=lambda item: -first[item[0]])
    ]
    print("\n".join(markdown_table(["policy", *means], rows)))
    matrix = [[name, *(f"{spearmanr(means[name], means[other]).statistic:.2f}" for other in means)] for name in means]
    print("\n" + "\n".join(markdown_table(["Spearman", *means], matrix)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
