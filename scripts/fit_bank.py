"""Fills a bank of fits: the real student of a challenge trained on many allocations, and the best ones by the law.

    python scripts/fit_bank.py relevance-v1 long_tail-v1 --fits 90 --jobs 2 --out dataenvgym/suite/banks/math.jsonl.gz

Challenges that are named together must be of one world (they differ in exam and budget alone) and share their fits.
First come allocations at random in the challenges' shapes and sizes, then ``--rounds`` times: fit the law, find the
best allocation of each challenge by it, and make that for real with ``--repeats`` seeds, so that the law is corrected
where it matters. Every fit is kept as soon as it is made: the same command continues after a kill, and a larger
``--fits`` adds to what is there. What other challenges have in the file stays. Last, ``--oracles`` takes the best
allocation of each challenge by the laws of all fits, with what is known of it.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

for _name, _value in {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}.items():
    os.environ.setdefault(_name, _value)

from rich.progress import Progress

from dataenvgym.suite.challenges import Challenge, challenge
from dataenvgym.suite.fits import Job, World, sampled_jobs
from dataenvgym.suite.oracle import best_known
from dataenvgym.suite.shipped import ORACLES
from environments.simulation.bank import Fit, line_of, read_bank, write_bank
from environments.simulation.law import allocation_key
from tasks.records import write_atomic

_worlds: dict[str, World] = {}  # of a worker process


def make_fit(place: tuple[Challenge, Job]) -> Fit:
    """One fit, in a worker that keeps its world."""
    of, job = place
    import torch

    torch.set_num_threads(1)
    return _worlds.setdefault(of.name, World(of)).fit(job)


Key = tuple[str, int, tuple[tuple[str, int], ...]]


def key_of(made: Fit | Job) -> Key:
    """What tells fits apart: a round's best allocation changes when the law does, and is then made as well."""
    return made.kind, made.seed, allocation_key(made.allocation)


def make_all(jobs: Sequence[Job], of: Challenge, kept: dict[Key, Fit], log: Path, processes: int) -> None:
    """Makes the fits that are not kept yet, adding each to ``kept`` and to the log."""
    due = [job for job in jobs if key_of(job) not in kept]
    if not due:
        return
    context = multiprocessing.get_context("spawn")
    with log.open("a", encoding="utf-8") as file, context.Pool(min(processes, len(due))) as pool, Progress() as shown:
        bar = shown.add_task("fits", total=len(jobs), completed=len(jobs) - len(due))
        for fit in pool.imap_unordered(make_fit, [(of, job) for job in due]):
            kept[key_of(fit)] = fit
            file.write(line_of(fit))
            file.flush()
            shown.advance(bar)


def optimum_jobs(
    round_number: int, of: Sequence[Challenge], fits: Sequence[Fit], skills: Sequence[str], repeats: int
) -> list[Job]:
    """The best allocation of each challenge by the law of all fits so far, several times."""
    from environments.simulation import best_allocation, fit_law

    law = fit_law(fits, skills)
    jobs = []
    for place, one in enumerate(of):
        best = best_allocation(law, one.exam, one.max_records)
        print(f"round {round_number}, {one.name}: {json.dumps(best)}", flush=True)
        first = 500_000 + 10_000 * round_number + 100 * place
        jobs += [Job(f"optimum {round_number} {one.name}", first + turn, best) for turn in range(repeats)]
    return jobs


def main() -> int:
    """Fills the bank and says how well the law predicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("challenges", nargs="+", help="names of configs/challenges, all of one world")
    parser.add_argument("--out", type=Path, required=True, help="the bank, a .jsonl.gz file")
    parser.add_argument("--fits", type=int, default=90, help="allocations at random")
    parser.add_argument("--rounds", type=int, default=2, help="how often the law's best allocations are made for real")
    parser.add_argument("--repeats", type=int, default=3, help="seeds of each of those")
    parser.add_argument("--first_seed", type=int, default=100_000, help="seed of the first fit; apart from all runs'")
    parser.add_argument("--oracles", type=Path, default=ORACLES, help=f"the oracles' file (default: {ORACLES.name})")
    parser.add_argument("--jobs", type=int, default=2, help="fits side by side, of one thread each")
    arguments = parser.parse_args()

    of = [challenge(name) for name in arguments.challenges]
    if len({one.world for one in of}) > 1 or not all(one.static for one in of):
        names = ", ".join(f"{one.name} ({one.world}{'' if one.static else ', order matters'})" for one in of)
        print(f"These challenges do not share their fits: {names}; name those of one world.", file=sys.stderr)
        return 2
    mine = [fit for fit in held(arguments.out) if fit.world == of[0].world]
    log = arguments.out.with_name(f"{arguments.out.name.removesuffix('.jsonl.gz')}-{of[0].world}.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = {key_of(fit): fit for fit in [*mine, *(read_bank(log) if log.exists() else [])]}
    write_atomic(log, "".join(line_of(fit) for fit in kept.values()))  # without a line cut off

    skills, began = World(of[0]).skills, time.monotonic()
    make_all(sampled_jobs(skills, of, arguments.fits, arguments.first_seed), of[0], kept, log, arguments.jobs)
    for number in range(1, arguments.rounds + 1):
        earlier = [kept[key] for key in sorted(kept) if not _is_of_round(kept[key], number)]
        jobs = optimum_jobs(number, of, earlier, skills, arguments.repeats)
        make_all(jobs, of[0], kept, log, arguments.jobs)
    # Read again: another world's fits may have been added while these were made.
    others = [fit for fit in held(arguments.out) if fit.world != of[0].world]
    write_bank(arguments.out, [*others, *(kept[key] for key in sorted(kept))])
    log.unlink()
    fits = [kept[key] for key in sorted(kept)]
    known = json.loads(arguments.oracles.read_text(encoding="utf-8")) if arguments.oracles.exists() else {}
    known |= {one.name: best_known(one, fits, skills) for one in of}
    write_atomic(arguments.oracles, json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    print(f"{len(kept)} fits of world {of[0].world} in {arguments.out}, {time.monotonic() - began:.0f} s")
    return 0


def held(bank: Path) -> list[Fit]:
    """The fits of a bank, none if there is no such file yet."""
    return read_bank(bank) if bank.exists() else []


def _is_of_round(fit: Fit, number: int) -> bool:
    """Whether a fit is of this round or a later one: a law refitted after a kill has to find the same optimum."""
    return fit.kind.startswith("optimum") and int(fit.kind.split()[1]) >= number


if __name__ == "__main__":
    raise SystemExit(main())
