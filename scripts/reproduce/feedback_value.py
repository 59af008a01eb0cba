"""Is feedback worth anything? Teachers with state against the teacher without, at an equal record budget, over seeds.

    python scripts/reproduce/feedback_value.py --seeds 8 --jobs 2

The command can be stopped and started again. The table compares the test accuracy after the last step (not the best
one), paired by seed: same task, student, budget and number of steps.
"""

import argparse
import os
import platform
import sys

from dataenvgym.studies.cells import ROOT
from dataenvgym.studies.grid import add_budget_arguments, add_grid_arguments, cell_from, run_from, seeds_of
from dataenvgym.studies.study import Rows
from tasks.markdown import markdown_table

# Name of the row: environment and teacher fragments. The teacher without state sees nothing, so that one row of it
# serves all three comparisons: what an environment would show it makes no difference to its records.
BASELINE = "no_state"
CELLS = {
    BASELINE: ("open_ended", "no_state_procedural"),
    "open_ended": ("open_ended", "open_ended_procedural"),
    "skill_list": ("skill_list", "skill_list_procedural"),
    "skill_tree": ("skill_tree", "skill_tree_procedural"),
}


def table(rows: Rows) -> str:
    """The comparison as a Markdown table."""
    heads = ["teacher", "test before", "after", "gain, points"]
    heads += ["minus no state, points (95 % interval)", "p", "seeds won"]
    lines = []
    for name in CELLS:
        before, after = rows[name].accuracy("before"), rows[name].accuracy()
        line = [name, f"{100 * before:.1f} %", f"{100 * after:.1f} %", f"{100 * (after - before):+.1f}"]
        if name == BASELINE:
            lines.append([*line, "", "", ""])
            continue
        difference = rows[name].minus(rows[BASELINE])
        gain = difference.by_seed
        interval = "" if gain.ci95 is None else f" ({gain.ci95[0]:+.2f} to {gain.ci95[1]:+.2f})"
        p_value = "" if gain.p_value is None else f"{gain.p_value:.2g}"
        won = f"{difference.won} of {len(difference.seeds)}"
        lines.append([*line, f"{gain.points:+.2f}{interval}", p_value, won])
    return "\n".join(markdown_table(heads, lines))


def main() -> None:
    """Runs the grid and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_grid_arguments(parser, ROOT / "runs" / "feedback_value")
    add_budget_arguments(parser, "math_procedural")
    arguments = parser.parse_args()

    seeds = seeds_of(arguments)
    cells = [cell_from(arguments, name, seed, *parts) for seed in seeds for name, parts in CELLS.items()]
    results = run_from(arguments, cells)
    results.check()
    text = table(results.teachers())
    provenance = (
        f"\n`python scripts/reproduce/feedback_value.py {' '.join(sys.argv[1:])}`; seeds {seeds[0]} to {seeds[-1]}, "
        f"{arguments.max_records} records in {arguments.max_steps} steps, {platform.machine()}, "
        f"{os.cpu_count()} cores, {arguments.threads} thread(s) per episode."
    )
    (arguments.out / "feedback_value.md").write_text(text + "\n" + provenance + "\n", encoding="utf-8")
    print(text + "\n" + provenance)


if __name__ == "__main__":
    main()
