"""Fits the laws of simulated students to a bank of fits of the real one, with noise, likelihoods and provenance.

    python scripts/fit_laws.py relevance-v1 --bank dataenvgym/suite/banks/math.jsonl.gz --name math

The challenge says which student, task and engine: its world's fits are taken. ``--members`` laws are written: the first
of all fits, the others of resampled allocations, which are the simulated students that a policy has to do well on
alike. A few seconds; the same bank gives the same file on one machine.
"""

import argparse
import hashlib
import json
import os
import shlex
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from dataenvgym.suite.challenges import challenge, challenges
from dataenvgym.suite.fits import built
from environments.simulation import fit_law, read_bank
from environments.simulation.calibration import (
    likelihood_link,
    persistence,
    resampled_weights,
    run_noise,
)
from environments.simulation.law import arrays_of
from environments.simulation.law_files import FOLDER, LawFile, task_facts, write_law


def main() -> int:
    """Fits, writes, and says what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("challenge", help="a challenge of the world whose fits are taken")
    parser.add_argument("--bank", type=Path, required=True, help="a bank of scripts/fit_bank.py")
    parser.add_argument("--name", required=True, help="what the law is called")
    parser.add_argument("--members", type=int, default=25, help="laws: one of all fits, the others of resampled ones")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the file")
    arguments = parser.parse_args()

    of = challenge(arguments.challenge)
    fits = [fit for fit in read_bank(arguments.bank) if fit.world == of.world]
    if not fits:
        print(f"{arguments.bank} has no fits of {of.name}'s world: run scripts/fit_bank.py.", file=sys.stderr)
        return 2
    began = time.monotonic()
    skills = tuple(fits[0].scores["val"])
    law = fit_law(fits, skills, resampled_weights(fits, arguments.members, arguments.seed))
    persisting = persistence(fits, skills)
    own, common = run_noise(fits, skills, persisting)
    facts = {
        **task_facts(built(of).config_init["task"]),
        "student": of.config["model"]["init_args"]["model_name_or_path"],
        "world": of.world,
        "challenges": [one.name for one in challenges() if one.world == of.world],
        "fits": len(fits),
        "bank": hashlib.sha256(arguments.bank.read_bytes()).hexdigest()[:16],
        "command": "python scripts/fit_laws.py " + shlex.join(sys.argv[1:]),
    }
    untaught = [fit for fit in fits if not fit.allocation]
    if not untaught:
        print(f"{arguments.bank} has no fit without records: run scripts/fit_bank.py.", file=sys.stderr)
        return 2
    base = np.array([untaught[0].accuracy(skill) for skill in skills])
    path = arguments.out / f"{arguments.name}.npz"
    write_law(path, LawFile(arguments.name, law, base, own, common, persisting, likelihood_link(fits, law), facts))
    counts, measured = arrays_of(fits, skills)
    found = {
        "laws": arguments.members,
        "fits": len(fits),
        "error by skill, of these fits": round(float(np.sqrt(np.mean((law.accuracy(counts)[0] - measured) ** 2))), 4),
        "sd of a run, logit": round(own, 3),
        "common to skills": round(common, 3),
        "instances' correlation": round(persisting, 3),
        "bytes": path.stat().st_size,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(f"{path}: {json.dumps(found)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
