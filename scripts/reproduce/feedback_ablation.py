"""What is feedback worth to any one teacher? The same seed and budget with true, no, shuffled and stale feedback.

    python scripts/reproduce/feedback_ablation.py --seeds 5 --jobs 2
    python scripts/reproduce/feedback_ablation.py --environment open_ended --teacher open_ended_procedural

``teachers.policies.FeedbackAblationPolicy`` stands between the same policy and its observation. Two floors come with
them: the teacher without state, and this teacher's first step with as much training as all steps get. A teacher that
ignores feedback (``--teacher no_state_procedural``) makes the same records under every kind, so that all kinds tie.
"""

import argparse
from collections.abc import Mapping

from table_feedback import COLUMNS, lines

from dataenvgym.studies.cells import ROOT, Cell, more_epochs, no_state, with_feedback
from dataenvgym.studies.comparisons import bars
from dataenvgym.studies.figures import draw
from dataenvgym.studies.grid import add_budget_arguments, add_grid_arguments, cell_from, run_from, seeds_of
from dataenvgym.studies.study import Output, Rows, provenance, write
from dataenvgym.studies.tables import INTERVALS, Table

KINDS = ("true", "none", "shuffled", "stale")


def rows_of(arguments: argparse.Namespace, seed: int) -> dict[str, Cell]:
    """The episodes of a seed, by what the table calls them."""
    base = cell_from(arguments, arguments.teacher, seed, arguments.environment, arguments.teacher)
    labels = {"none": "no feedback"}
    cells = {labels.get(kind, f"{kind} feedback"): with_feedback(base, kind) for kind in KINDS}
    return cells | {"floor: no state": no_state(base), "floor: step 1, more epochs": more_epochs(base)}


def summarise(rows: Rows, names: Mapping[str, str], caption: str) -> Output:
    """True feedback, the first of ``names``, against each of the others, and a picture of all."""
    found = {label: rows[name] for label, name in names.items() if name in rows}
    table = Table(COLUMNS, caption)
    for line in lines(found):
        table.add(*line)
    panel = bars(caption, rows, (("", label, name) for label, name in names.items()))
    before = next(iter(found.values())).accuracy("before")
    table.notes.append(f"Before teaching: {100 * before:.1f} %. {INTERVALS}")
    return Output({"feedback": table}, {"feedback": draw([panel], y="test gain, points")})


def main() -> None:
    """Runs the grid and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_grid_arguments(parser, ROOT / "runs" / "feedback_ablation", seeds=5)
    add_budget_arguments(parser, "math_procedural")
    parser.add_argument("--environment", default="skill_list", help="fragment under configs/environments")
    parser.add_argument("--teacher", default="skill_list_procedural", help="fragment under configs/teachers")
    arguments = parser.parse_args()

    by_seed = {seed: rows_of(arguments, seed) for seed in seeds_of(arguments)}
    results = run_from(arguments, [cell for cells in by_seed.values() for cell in cells.values()])
    results.check()
    names = {label: cell.name for label, cell in next(iter(by_seed.values())).items()}
    caption = (
        f"Feedback of {arguments.teacher} in {arguments.environment}, {arguments.task}, {arguments.student}: "
        f"{arguments.max_records} records in {arguments.max_steps} steps"
    )
    output = summarise(results.teachers(), names, caption)
    written = write(output, arguments.out / "tables", provenance(arguments, results))
    print(f"\n{output.tables['feedback'].markdown()}")
    print("\n".join(str(path) for path in written))


if __name__ == "__main__":
    main()
