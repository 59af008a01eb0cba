"""Runs the shipped policies on the challenges, and adds their results to the baselines that travel with the package.

    python scripts/fill_baselines.py --seeds 5 --jobs 2
    python scripts/fill_baselines.py --challenges relevance-v1 --policies random oracle --seeds 3

What is in the baselines already, of the same policy's settings and with the fingerprint of today's instances, settings
and student, is not run again: the grid fills over days and machines. The same command continues after a kill.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from dataenvgym.suite.canary import check_canary, keep_canary, kept_canary
from dataenvgym.suite.challenges import Challenge, challenge, challenges
from dataenvgym.suite.fingerprints import fingerprint
from dataenvgym.suite.results import Result, write_results
from dataenvgym.suite.runner import run_entries
from dataenvgym.suite.shipped import BASELINES, baselines, policies_for
from tasks.errors import ConfigurationError, DataEnvGymError


def main() -> int:
    """Runs what is missing and writes one file for each challenge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challenges", nargs="+", help="names (default: all)")
    parser.add_argument("--policies", nargs="+", help="names in dataenvgym/suite/policies.yaml, adversarial, oracle")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first_seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, of one thread each")
    parser.add_argument("--launcher", choices=("local", "ray"), default="local")
    parser.add_argument("--out", type=Path, default=Path("runs/baselines"), help="folder of the run directories")
    arguments = parser.parse_args()

    try:
        return fill(arguments)
    except DataEnvGymError as error:
        print(f"fill_baselines: error: {error}", file=sys.stderr)
        return 2


def fill(arguments: argparse.Namespace) -> int:
    """Runs what is missing of each challenge, and adds it to the file as it is by then."""
    chosen = [challenge(name) for name in arguments.challenges] if arguments.challenges else challenges()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    known = {name for one in chosen for name in policies_for(one)}
    if unknown := sorted(set(arguments.policies or ()) - known):
        raise ConfigurationError(f"--policies names {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    for one in {one.world: one for one in chosen}.values():
        if kept_canary(one) is None:
            keep_canary(one)
        print(f"{one.name}: {check_canary(one)}", flush=True)
    status = 0
    for one in chosen:
        named = policies_for(one)
        wanted = [name for name in arguments.policies or named if name in named]
        entries = [named[name].on(one, seed) for seed in seeds for name in wanted]
        held = {(found.policy, found.seed) for found in current(one)}
        due = [entry for entry in entries if (entry.name, entry.seed) not in held]
        results, failures = run_entries(due, arguments.out, arguments.jobs, arguments.launcher)
        # Read again: another process may have added results while these ran.
        kept = {(found.policy, found.seed): found for found in [*current(one, say=True), *results]}
        write_results(BASELINES / f"{one.name}.jsonl.gz", kept.values())
        print(f"{one.name}: {len(results)} runs made, {len(kept)} results kept", flush=True)
        for folder, why in failures.items():
            print(f"failed: {folder}: {why}", file=sys.stderr)
            status = 1
    return status


def current(one: Challenge, say: bool = False) -> list[Result]:
    """The baselines of today's challenge, settings and code; ``say`` names those of others."""
    now, named = fingerprint(one), policies_for(one)
    entries = {name: policy.on(one, 0) for name, policy in named.items()}
    shipping = {name: (now, entry.settings, entry.code) for name, entry in entries.items()}
    kept, dropped = [], Counter[str]()
    for found in baselines([one]):
        if (found.fingerprint, found.settings, found.code) == shipping.get(found.policy):
            kept.append(found)
        else:
            dropped[found.policy] += 1
    for name, count in dropped.items() if say else ():
        print(f"{one.name}: {count} results of {name} dropped: its settings, its code or the challenge have changed")
    return kept


if __name__ == "__main__":
    raise SystemExit(main())
