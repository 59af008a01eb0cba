"""Does a policy read the student? Policies on exams drawn at random, on the real student, the same ones for all.

    python scripts/reproduce/random_exams.py                       # the shipped results: nothing is run
    python scripts/reproduce/random_exams.py --games 36 --jobs 2 --out runs/exams     # about a minute a run
    python scripts/reproduce/random_exams.py --games 36 --policies my_module.MyPolicy --out runs/mine

A game is an exam of 4 to 10 skills with uneven weights (Dirichlet), in one of the worlds of ``--challenges`` in turns,
on instances, records and runs of seeds that no fit, law, training or choice of a setting has seen. Every policy has the
challenge's budget of records and steps; *even* and *oracle* (the best allocation by the world's law) deal the same
records whatever they see, and since a student depends on the set of its records alone they do it in one step. The
share of the gap from *even* to *oracle* is that of the means over games, with a bootstrap over games; differences
are paired by game.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import ttest_1samp

from dataenvgym.suite.challenges import Challenge, challenge
from dataenvgym.suite.fits import built
from dataenvgym.suite.results import Result, read_results, write_results
from dataenvgym.suite.runner import Entry, run_entries
from dataenvgym.suite.shipped import HERE, policies_for
from dataenvgym.suite.simulated import law_of
from environments.simulation import best_allocation
from environments.simulation.law_files import read_law
from tasks.errors import ConfigurationError, DataEnvGymError
from tasks.markdown import markdown_table

SHIPPED = HERE / "exams" / "random_exams.jsonl.gz"
FIRST_SEED = 1000  # of tasks and runs, apart from those of challenges (0 to 11) and of fits (100,000 and more)
LOW, HIGH = "even", "oracle"


def drawn_exam(skills: Sequence[str], game: int, attempt: int) -> dict[str, int]:
    """The exam of a game: weights by skill."""
    rng = random.Random(f"random exams/{game}/{attempt}")
    asked = rng.sample(sorted(skills), rng.randint(4, 10))
    weights = {skill: rng.expovariate(1.0) for skill in asked}
    return {skill: max(1, round(40 * weight / sum(weights.values()))) for skill, weight in weights.items()}


def game_of(base: Challenge, game: int, folder: Path) -> tuple[Challenge, Challenge]:
    """Challenges that ask the exam of a game, in files of their own: in the base's steps, and in a single one.

    An exam is drawn again if the task has too few distinct questions for it.
    """
    law = law_of(base)
    if law is None:
        raise ConfigurationError(f"No law ships of {base.name}, by which the oracle is found: choose another.")
    why: ConfigurationError | None = None
    for attempt in range(100):
        config: dict[str, Any] = yaml.safe_load(base.path.read_text(encoding="utf-8"))
        settings = config["task"]["init_args"]
        settings["seed"] = FIRST_SEED + game
        settings.setdefault("variant", {})["exam"] = drawn_exam(read_law(law).law.skills, game, attempt)
        asked = _written(config, folder / f"game-{game:03d}-{base.name}.yaml")
        try:
            task = built(asked).config_init["task"]
            for split in ("val", "test"):
                task.instances(split)
        except ConfigurationError as error:
            why = error
            continue
        config["environment"]["init_args"]["budget"]["max_steps"] = 1
        return asked, _written(config, folder / f"game-{game:03d}-{base.name}-at-once.yaml")
    raise ConfigurationError(f"No exam of {base.name} can be drawn in 100 attempts, at last since {why}")


def _written(config: Mapping[str, Any], path: Path) -> Challenge:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return Challenge(path.stem, path)


def entries_of(arguments: argparse.Namespace) -> list[Entry]:
    """The runs of all games."""
    entries = []
    for game in range(arguments.first_game, arguments.first_game + arguments.games):
        base = challenge(arguments.challenges[game % len(arguments.challenges)])
        asked, at_once = game_of(base, game, arguments.out / "challenges")
        law = read_law(law_of(base) or "").law
        best = best_allocation(law, asked.exam, asked.max_records)
        shipped = policies_for(base)
        oracle = {"class_path": "teachers.policies.StaticPolicy", "init_args": {"allocation": best}}
        static = {LOW: shipped[LOW].policy, HIGH: oracle}
        seed = FIRST_SEED + game
        for name in arguments.policies:
            if name in static:
                entries.append(Entry(at_once, name, static[name], seed))
            elif name in shipped:
                entries.append(shipped[name].on(asked, seed))
            else:
                entries.append(Entry(asked, name.rpartition(".")[2], {"class_path": name}, seed))
    return entries


def main() -> int:
    """Runs what is wanted and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", type=int, default=0, help="how many to play; 0 for the shipped results")
    parser.add_argument("--first_game", type=int, default=0)
    parser.add_argument("--policies", nargs="+", default=[LOW, HIGH, "error_proportional", "learned"])
    parser.add_argument("--challenges", nargs="+", default=["relevance-v1", "global_math-v1"], help="whose worlds")
    parser.add_argument("--against", default="learned", help="whose differences to the others are shown")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--launcher", choices=("local", "ray"), default="local")
    parser.add_argument("--out", type=Path, default=Path("runs/exams"))
    arguments = parser.parse_args()
    try:
        if not arguments.games:
            print(table(read_results(SHIPPED), arguments.against))
            return 0
        results, failures = run_entries(entries_of(arguments), arguments.out, arguments.jobs, arguments.launcher)
        path = arguments.out / "results.jsonl.gz"
        kept = {(one.challenge, one.policy): one for one in [*(read_results(path) if path.is_file() else []), *results]}
        write_results(path, kept.values())
        # What ships of the same games is shown beside it: yardsticks need not be run again.
        played = {_game(one) for one in kept.values()}
        for one in read_results(SHIPPED):
            if _game(one) in played:
                kept.setdefault((one.challenge, one.policy), one)
        for folder, why in failures.items():
            print(f"failed: {folder}: {why}", file=sys.stderr)
        print(table(list(kept.values()), arguments.against))
        return 1 if failures else 0
    except DataEnvGymError as error:
        print(f"random_exams: error: {error}", file=sys.stderr)
        return 2


def table(results: Sequence[Result], against: str, resamples: int = 5000) -> str:
    """By policy, over the games that it played with both yardsticks: accuracy, share of the gap, differences."""
    scores: dict[str, dict[str, float]] = {}
    for one in results:
        scores.setdefault(one.policy, {})[_game(one)] = one.accuracy
    rows = []
    for name in sorted(scores, key=lambda one: -np.mean(list(scores[one].values()))):
        games = sorted(set(scores[name]) & set(scores.get(LOW, ())) & set(scores.get(HIGH, ())))
        if not games:  # played without yardsticks
            mean = f"{100 * np.mean(list(scores[name].values())):.1f}"
            rows.append([name, str(len(scores[name])), mean, "", *_ahead(scores, against, name)])
            continue
        own, low, high = (np.array([scores[one][game] for game in games]) for one in (name, LOW, HIGH))
        rng = np.random.default_rng(0)
        drawn = rng.multinomial(len(games), [1 / len(games)] * len(games), size=resamples)
        found = np.percentile((drawn @ (own - low)) / (drawn @ (high - low)), [2.5, 97.5])
        share = f"{(own - low).sum() / (high - low).sum():.2f} [{found[0]:.2f}, {found[1]:.2f}]"
        cells = [name, str(len(games)), f"{100 * own.mean():.1f}", share if name not in (LOW, HIGH) else ""]
        rows.append([*cells, *_ahead(scores, against, name)])
    heads = ["policy", "games", "test, %", f"share of {LOW} → {HIGH}", f"{against} is better by, points", "p"]
    return "\n".join(markdown_table(heads, rows))


def _game(result: Result) -> str:
    return result.challenge.removesuffix("-at-once")


def _ahead(scores: Mapping[str, Mapping[str, float]], against: str, name: str) -> tuple[str, str]:
    """How much better one policy is than another on the games that both played, and the paired t-test's p."""
    games = sorted(set(scores.get(against, {})) & set(scores[name]))
    if name == against or len(games) < 2:
        return "", ""
    ahead = np.array([100 * (scores[against][game] - scores[name][game]) for game in games])
    found = ttest_1samp(ahead, 0.0)
    low, high = found.confidence_interval()
    return f"{ahead.mean():+.1f} [{low:+.1f}, {high:+.1f}]", f"{found.pvalue:.2g}"


if __name__ == "__main__":
    raise SystemExit(main())
