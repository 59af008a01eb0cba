"""What the environment's loop adds around fit and evaluation, as a share of each step's wall time.

    python benchmarks/loop_overhead.py                      # runs the quickstart episode and measures it
    python benchmarks/loop_overhead.py runs/quickstart      # measures a run that is there

Fit and evaluation are the calls of Trainer.fit and Trainer.predict. Everything else of a step counts as overhead:
the teacher, checks, files, statistics, curves, new Trainers. The aim is 10 % of a step at most; step 0, which
trains nothing, is shown but not judged.
"""

import sys
import tempfile
from pathlib import Path

from common import ROOT, make_parser

from dataenvgym import load

AIM = 0.10


def measure(run_dir: Path) -> float:
    """Prints a table of a run's steps; returns the largest overhead of a step that trained."""
    worst = 0.0
    print("step  wall s   fit s  evaluate s  teacher s  other s  overhead")
    for line in load(run_dir).steps:
        seconds = line["seconds"]
        wall = sum(seconds.values())
        share = (seconds["teacher"] + seconds["other"]) / wall
        worst = max(worst, share) if line["step"] else worst
        parts = "  ".join(f"{seconds[name]:8.2f}" for name in ("fit", "evaluate", "teacher", "other"))
        print(f"{line['step']:4d} {wall:7.2f} {parts}   {100 * share:5.1f} %")
    return worst


def main() -> int:
    """Measures; exits 1 if a step that trained spent more than a tenth around fit and evaluation."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "run", nargs="?", type=Path, help="run directory (default: a new run of configs/quickstart.yaml)"
    )
    arguments = parser.parse_args()
    if arguments.run is not None:
        worst = measure(arguments.run)
    else:
        from dataenvgym.cli.main import main as dataenvgym

        with tempfile.TemporaryDirectory() as folder:
            run_dir = Path(folder) / "run"
            words = ["--config", str(ROOT / "configs/quickstart.yaml"), "--run_dir", str(run_dir)]
            if status := dataenvgym(["episode", *words]):
                return status
            worst = measure(run_dir)
    print(f"largest overhead of a step: {100 * worst:.1f} % (aim: at most {100 * AIM:.0f} %)")
    return int(worst > AIM)


if __name__ == "__main__":
    sys.exit(main())
