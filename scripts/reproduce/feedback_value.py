"""Is feedback worth anything? Teachers with state against the teacher without, at an equal record budget, over seeds.

    python scripts/reproduce/feedback_value.py --seeds 8 --jobs 2
    python scripts/reproduce/feedback_value.py --seeds 8 --jobs 2 --fresh_seed 1

The command can be stopped and started again. The table compares the test accuracy after the last step (not the best
one), paired by seed: same task, student, budget and number of steps.

The settings of student and policies were found by looking at test accuracies of task seed 0. With ``--fresh_seed`` the
last students also answer the test split of another task seed, without the questions of seed 0's val and test.
"""

import argparse
import logging
import os
import platform
import sys
import warnings

from dataenvgym.reading.run import SPLITS, Run
from dataenvgym.studies.cells import ROOT
from dataenvgym.studies.grid import add_budget_arguments, add_grid_arguments, cell_from, run_from, seeds_of
from dataenvgym.studies.study import Rows
from environments.statistics import paired_by_seed
from tasks.markdown import markdown_table
from tasks.math import ProceduralMathTask
from tasks.types import TaskInstance

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


def print_fresh(rows: Rows, seed: int) -> None:
    """Scores the last students on test instances that no choice in this project has looked at, and compares again."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    task = ProceduralMathTask(seed=seed, test_size=2592)  # 48 for each subskill
    known = {instance.instruction for split in SPLITS for instance in ProceduralMathTask().instances(split)}
    instances = [instance for instance in task.instances("test") if instance.instruction not in known]
    print(f"{len(instances)} fresh test instances")
    values: dict[str, list[float]] = {}
    for name in CELLS:
        values[name] = [fresh_accuracy(rows[name].runs[seed], task, instances) for seed in rows[name].seeds]
        differences = [own - base for own, base in zip(values[name], values[BASELINE], strict=True)]
        gain = paired_by_seed(differences)
        interval = "" if gain.ci95 is None else f" ({gain.ci95[0]:+.2f} to {gain.ci95[1]:+.2f}), p = {gain.p_value:.2g}"
        won = sum(difference > 0 for difference in differences)
        mean = 100 * sum(values[name]) / len(values[name])
        against = "" if name == BASELINE else f", minus {BASELINE} {gain.points:+.2f}{interval}, {won} seeds won"
        print(f"{name:<12} {mean:.1f} %{against}", flush=True)


def fresh_accuracy(run: Run, task: ProceduralMathTask, instances: list[TaskInstance]) -> float:
    """Accuracy on the instances of the student that a run's last step trained."""
    from lightning.pytorch import Trainer

    from datamodules import StudentDataModule
    from lightning_modules import CausalLMStudent
    from lightning_modules.callbacks import SkillMetrics

    folder = str(run.folder(max(run.trained)) / "student")
    student = CausalLMStudent(folder, tuning="full", max_length=128, max_new_tokens=32)
    metrics = SkillMetrics(task)
    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[metrics],
    )
    data = StudentDataModule(task).with_instances({"fresh": instances})
    trainer.predict(student, datamodule=data, return_predictions=False)
    value = metrics.report("fresh").overall.value
    assert value is not None, "there are instances"
    return value


def main() -> None:
    """Runs the grid and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_grid_arguments(parser, ROOT / "runs" / "feedback_value")
    add_budget_arguments(parser, "math_procedural")
    parser.add_argument("--fresh_seed", type=int, help="seed of a task whose test instances are answered as well")
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
    if arguments.fresh_seed is not None:
        print_fresh(results.teachers(), arguments.fresh_seed)


if __name__ == "__main__":
    main()
