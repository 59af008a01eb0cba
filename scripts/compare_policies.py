"""Compares policies on simulated students, hundreds of them and most like none that anything was fitted to.

    python scripts/compare_policies.py --bank dataenvgym/suite/banks/math.jsonl.gz --games 300
    python scripts/compare_policies.py --bank … --policies learned my_module.MyPolicy --exact
    python scripts/compare_policies.py --bank … --policies learned 'blind={"class_path": …, "init_args": …}'

Every policy plays the same games: a student drawn around the laws of one half of the bank's fits (the half that
scripts/train_policy.py did not use), an exam, a budget of 300 records in five steps. The score is the final accuracy on
the exam that the law expects, which has no noise; the gap is that between dealing evenly over what the exam asks and
the best allocation for each student, found by gradient. A game takes milliseconds, or as long as the policy thinks.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from dataenvgym.suite.challenges import challenge
from dataenvgym.suite.fits import built
from dataenvgym.suite.shipped import policies_for
from environments.simulation import read_bank
from environments.simulation.play import best_of, finals
from environments.simulation.randomized import draw_games, laws_of
from tasks.errors import ConfigurationError, DataEnvGymError, check_range, failing_as
from tasks.markdown import markdown_table
from teachers.teacher import Policy

LOW, HIGH = "even", "oracle"


def main() -> int:
    """Plays all games and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path, required=True, help="a bank of scripts/fit_bank.py")
    parser.add_argument(
        "--policies", nargs="+", help="shipped names, class paths, or NAME={class_path, init_args} in JSON"
    )
    parser.add_argument("--against", default="learned", help="whose differences to the others are shown")
    parser.add_argument("--games", type=int, default=300)
    parser.add_argument("--half", type=int, choices=(0, 1), default=1, help="of the bank's allocations")
    parser.add_argument("--whole", action="store_true", help="fit the laws to all of the bank: for another domain's")
    parser.add_argument("--exact", action="store_true", help="students as they were fitted, not drawn around them")
    parser.add_argument("--skills", type=int, help="skills of a game (default: all)")
    parser.add_argument("--records", type=int, default=300)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--challenge", default="global_math-v1", help="the challenge whose task policies are made for")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        check_range("compare_policies", games=arguments.games, records=arguments.records, steps=arguments.steps)
        print(compare(arguments))
    except DataEnvGymError as error:
        print(f"compare_policies: error: {error}", file=sys.stderr)
        return 2
    return 0


def compare(arguments: argparse.Namespace) -> str:
    """The table of all policies."""
    laws = laws_of(read_bank(arguments.bank), None if arguments.whole else arguments.half)
    rng = np.random.default_rng(arguments.seed)
    games = [
        draw_games([law], -(-arguments.games // len(laws)), rng, arguments.skills, perturbed=not arguments.exact)
        for law in laws
    ]
    policies = made(arguments.policies, arguments.challenge)
    scores: dict[str, NDArray[np.float64]] = {HIGH: np.concatenate([best_of(one, arguments.records) for one in games])}
    for name, policy in track(policies.items(), "policies", console=Console(stderr=True), transient=True):
        scores[name] = finals(policy, games, arguments.records, arguments.steps)
    return table(scores, arguments.against)


def made(wanted: list[str] | None, name: str) -> dict[str, Policy]:
    """Policies by name, in the order in which they are wanted, with *even* before all others."""
    shipped = {key: one for key, one in policies_for(challenge(name)).items() if key not in ("oracle", "adversarial")}
    found = {}
    for each in dict.fromkeys([LOW, *(wanted or shipped)]):
        key, _, settings = each.partition("=")
        if settings:
            with failing_as(ConfigurationError, f"{each} is not NAME=JSON", "see --help"):
                policy: Any = json.loads(settings)
        elif key in shipped:
            policy = shipped[key].policy
        elif "." in key:
            policy = {"class_path": key}
        else:
            raise ConfigurationError(f"There is no shipped policy {key!r}: there are {', '.join(shipped)}.")
        words = ("--teacher.init_args.policy", json.dumps(policy))
        found[key.rpartition(".")[2]] = built(challenge(name), *words).teacher.policy
    return found


def table(scores: Mapping[str, NDArray[np.float64]], against: str, resamples: int = 2000) -> str:
    """By policy: accuracy, share of the gap from even to the best allocation, and what another policy is better by."""
    rng = np.random.default_rng(0)
    number = len(scores[HIGH])
    drawn = rng.multinomial(number, [1 / number] * number, size=resamples) / number

    def interval(values: NDArray[np.float64], digits: int) -> str:
        low, high = np.percentile(values, [2.5, 97.5])
        return f"[{low:.{digits}f}, {high:.{digits}f}]"

    gap = scores[HIGH] - scores[LOW]
    rows = []
    for name in sorted(scores, key=lambda one: -scores[one].mean()):
        won = scores[name] - scores[LOW]
        share = f"{won.mean() / gap.mean():.2f} {interval((drawn @ won) / (drawn @ gap), 2)}"
        row = [name, f"{100 * scores[name].mean():.1f}", share]
        if against in scores:
            ahead = 100 * (scores[against] - scores[name])
            row.append(f"{ahead.mean():+.2f} {interval(drawn @ ahead, 2)}" if name != against else "")
        rows.append(row)
    heads = ["policy", "exam, %", f"share of {LOW} → {HIGH}", f"{against} is better by, points"]
    return "\n".join(markdown_table(heads[: len(rows[0])], rows))


if __name__ == "__main__":
    raise SystemExit(main())
