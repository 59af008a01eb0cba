"""What is feedback worth to one teacher? The same seed and budget with true, no, shuffled and stale feedback.

    python scripts/reproduce/feedback_ablation.py --seeds 5 --jobs 2
    python scripts/reproduce/feedback_ablation.py --environment open_ended --teacher open_ended_procedural

The teacher's policy is the same in all cells; ``teachers.policies.FeedbackAblationPolicy`` stands between it and the
observation. Two floors come with them: the teacher without state, and this teacher's first step with as much training
as all steps get. The table compares test accuracies after the last step, paired by seed.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Mapping

from cells import ROOT, Cell, more_epochs, no_state, with_feedback
from grid import Results, add_grid_arguments, run_from, seeds_of
from tables import Table, accuracy, gain

from environments.statistics import holm

KINDS = ("true", "none", "shuffled", "stale")


def rows(arguments: argparse.Namespace, seed: int) -> dict[str, Cell]:
    """The episodes of a seed, by what the table calls them."""
    fragments = (
        f"tasks/{arguments.task}",
        f"students/{arguments.student}",
        f"environments/{arguments.environment}",
        f"teachers/{arguments.teacher}",
    )
    budget = {
        "environment.budget.max_records": arguments.max_records,
        "environment.budget.max_steps": arguments.max_steps,
    }
    base = Cell(arguments.teacher, seed, fragments, budget, tuple(arguments.options))
    labels = {"none": "no feedback"}
    cells = {labels.get(kind, f"{kind} feedback"): with_feedback(base, kind) for kind in KINDS}
    return cells | {"floor: no state": no_state(base), "floor: step 1, more epochs": more_epochs(base)}


def table(results: Results, names: Mapping[str, str], caption: str) -> Table:
    """True feedback against each of the others.

    Args:
        results: What came of the grid.
        names: The cells' names by what the table calls them; true feedback first.
        caption: The table's caption.
    """
    made = Table(["teacher", "test after", "true minus this, points", "p (Holm)", "seeds won"], caption)
    true, *others = names.values()
    differences = {name: results.difference(true, name) for name in others}
    adjusted = holm([None if found is None else found.p_value for found in differences.values()])
    p_values = dict(zip(others, adjusted, strict=True))
    for label, name in names.items():
        if name == true:
            made.add(label, accuracy(results.values(name)))
            continue
        seeds = results.seeds(true, name)
        pairs = zip(results.values(true, seeds=seeds), results.values(name, seeds=seeds), strict=True)
        won = f"{sum(own > other for own, other in pairs)} of {len(seeds)}"
        p_value = "" if p_values[name] is None else f"{p_values[name]:.2g}"
        made.add(label, accuracy(results.values(name)), gain(differences[name]), p_value, won)
    return made


def main() -> None:
    """Runs the grid and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_grid_arguments(parser, ROOT / "runs" / "feedback_ablation", seeds=5)
    parser.add_argument("--task", default="math_procedural", help="fragment under configs/tasks")
    parser.add_argument("--student", default="tiny_text", help="fragment under configs/students")
    parser.add_argument("--environment", default="skill_list", help="fragment under configs/environments")
    parser.add_argument("--teacher", default="skill_list_procedural", help="fragment under configs/teachers")
    parser.add_argument("--max_records", type=int, default=1000)
    parser.add_argument("--max_steps", type=int, default=5)
    arguments = parser.parse_args()

    by_seed = {seed: rows(arguments, seed) for seed in seeds_of(arguments)}
    results = run_from(arguments, [cell for cells in by_seed.values() for cell in cells.values()])
    results.check()
    names = {label: cell.name for label, cell in next(iter(by_seed.values())).items()}
    caption = f"Feedback of {arguments.teacher} in {arguments.environment}, {arguments.task}, {arguments.student}"
    made = table(results, names, caption)
    made.notes.append(
        f"`python scripts/reproduce/feedback_ablation.py {' '.join(sys.argv[1:])}`; seeds {min(by_seed)} to "
        f"{max(by_seed)}, {arguments.max_records} records in {arguments.max_steps} steps, "
        f"{platform.machine()}, {arguments.threads} thread(s) per episode. Intervals are Student's t "
        "over seeds, not corrected; p-values are."
    )
    for path in made.write(arguments.out / f"{arguments.environment}-{arguments.teacher}"):
        print(path)
    print(f"\n{made.markdown()}")


if __name__ == "__main__":
    main()
