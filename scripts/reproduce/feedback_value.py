"""Is feedback worth anything? Teachers with state against the teacher without, at an equal record budget, over seeds.

    python scripts/reproduce/feedback_value.py --seeds 8 --jobs 2

Every cell is one ``dataenvgym episode`` in its own run directory; finished cells are skipped and interrupted
ones resumed, so the command can be stopped and started again. The table compares the test accuracy after the
last step (not the best one), paired by seed: same task, same student, same budget, same number of steps.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environments.statistics import paired_by_seed

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"

# Name of the row: environment and teacher fragments. The teacher without state sees nothing, so that one row of it
# serves all three comparisons: what an environment would show it makes no difference to its records.
BASELINE = "no_state"
CELLS = {
    BASELINE: ("open_ended", "no_state_procedural"),
    "open_ended": ("open_ended", "open_ended_procedural"),
    "skill_list": ("skill_list", "skill_list_procedural"),
    "skill_tree": ("skill_tree", "skill_tree_procedural"),
}


def run_cell(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Runs one episode, or reads it if it is there; returns its summary.

    Raises:
        SystemExit: The episode failed; its last line says why.
    """
    environment, teacher = CELLS[name]
    folder = arguments.out / f"{name}-seed{seed}"
    fragments = (
        CONFIGS / "tasks" / f"{arguments.task}.yaml",
        CONFIGS / "students" / f"{arguments.student}.yaml",
        CONFIGS / "environments" / f"{environment}.yaml",
        CONFIGS / "teachers" / f"{teacher}.yaml",
    )
    command = [sys.executable, "-m", "environments.cli", "episode"]
    for fragment in fragments:
        command += ["--config", str(fragment)]
    command += ["--environment.budget.max_records", str(arguments.max_records)]
    command += ["--environment.budget.max_steps", str(arguments.max_steps)]
    command += ["--seed_everything", str(seed), "--run_dir", str(folder), "--resume", *arguments.options]
    # One thread for each cell: two cells side by side finish sooner than one after the other with two threads.
    environ = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}, seed {seed}: {done.stderr.strip().splitlines()[-1]}")
    summary: dict[str, object] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    print(f"{name:<12} seed {seed}: test {_test(summary, 'before'):.3f} → {_test(summary, 'after'):.3f}", flush=True)
    return summary


def _test(summary: dict[str, object], when: str) -> float:
    return float(summary[when]["test"]["accuracy"])  # type: ignore[index]


def table(summaries: dict[tuple[str, int], dict[str, object]], seeds: list[int]) -> str:
    """The comparison as a Markdown table."""
    lines = [
        "| teacher | test before | after | gain, points | minus no state, points (95 % interval) | p | seeds won |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in CELLS:
        rows = [summaries[name, seed] for seed in seeds]
        before, after = ([_test(row, when) for row in rows] for when in ("before", "after"))
        means = [sum(values) / len(values) for values in (before, after)]
        cells = [name, *(f"{100 * mean:.1f} %" for mean in means), f"{100 * (means[1] - means[0]):+.1f}"]
        if name == BASELINE:
            cells += ["", "", ""]
        else:
            pairs = [
                (_test(summaries[name, seed], "after"), _test(summaries[BASELINE, seed], "after")) for seed in seeds
            ]
            differences = [own - baseline for own, baseline in pairs]
            gain = paired_by_seed(differences)
            interval = "" if gain.ci95 is None else f" ({gain.ci95[0]:+.2f} to {gain.ci95[1]:+.2f})"
            p_value = "" if gain.p_value is None else f"{gain.p_value:.2g}"
            won = sum(difference > 0 for difference in differences)
            cells += [f"{gain.points:+.2f}{interval}", p_value, f"{won} of {len(seeds)}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Runs the grid and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8, help="number of seeds, from 0")
    parser.add_argument("--first_seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="episodes side by side")
    parser.add_argument("--threads", type=int, default=1, help="threads of each episode")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "feedback_value")
    parser.add_argument("--task", default="math_procedural", help="fragment under configs/tasks")
    parser.add_argument("--student", default="tiny_text", help="fragment under configs/students")
    parser.add_argument("--max_records", type=int, default=1000)
    parser.add_argument("--max_steps", type=int, default=5)
    parser.add_argument("options", nargs="*", help="further options of `dataenvgym episode`, after --")
    arguments = parser.parse_args()

    seeds = list(range(arguments.first_seed, arguments.first_seed + arguments.seeds))
    cells = [(name, seed) for seed in seeds for name in CELLS]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda cell: run_cell(*cell, arguments), cells))
    text = table(dict(zip(cells, results, strict=True)), seeds)
    provenance = (
        f"\n`python scripts/reproduce/feedback_value.py {' '.join(sys.argv[1:])}`; seeds {seeds[0]} to {seeds[-1]}, "
        f"{arguments.max_records} records in {arguments.max_steps} steps, {platform.machine()}, "
        f"{os.cpu_count()} cores, {arguments.threads} thread(s) per episode."
    )
    (arguments.out / "feedback_value.md").write_text(text + "\n" + provenance + "\n", encoding="utf-8")
    print(text + "\n" + provenance)


if __name__ == "__main__":
    main()
