"""Runs the shipped policies on the challenges, and adds their results to the baselines that travel with the package.

    python scripts/fill_baselines.py --seeds 5 --jobs 2
    python scripts/fill_baselines.py --challenges relevance-v1 --policies random oracle --seeds 3

What is in the baselines already, of the same policy's settings and with the fingerprint of today's instances, settings
and student, is not run again: the grid fills over days and machines. The same command continues after a kill.
"""

import argparse
import sys
from pathlib import Path

from dataenvgym.suite.canary import keep_canary, kept_canary
from dataenvgym.suite.challenges import challenge, challenges
from dataenvgym.suite.fingerprints import fingerprint
from dataenvgym.suite.results import write_results
from dataenvgym.suite.runner import Entry, run_entries
from dataenvgym.suite.shipped import BASELINES, baselines, policies_for


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

    chosen = [challenge(name) for name in arguments.challenges] if arguments.challenges else challenges()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    status = 0
    for one in chosen:
        if kept_canary(one) is None:
            keep_canary(one)
        now = fingerprint(one)
        named = policies_for(one)
        kept = {
            (found.policy, found.seed): found
            for found in baselines([one])
            if found.fingerprint == now and found.policy in named and found.settings == named[found.policy].policy
        }
        wanted = arguments.policies or list(named)
        entries = [
            Entry(one, name, named[name].policy, seed)
            for seed in seeds
            for name in wanted
            if name in named and (name, seed) not in kept
        ]
        results, failures = run_entries(entries, arguments.out, arguments.jobs, arguments.launcher)
        kept |= {(found.policy, found.seed): found for found in results}
        write_results(BASELINES / f"{one.name}.jsonl.gz", kept.values())
        print(f"{one.name}: {len(results)} runs made, {len(kept)} results kept", flush=True)
        for folder, why in failures.items():
            print(f"failed: {folder}: {why}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
