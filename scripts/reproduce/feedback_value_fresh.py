"""Scores the last students of feedback_value.py on test instances that no choice in this project has looked at.

    python scripts/reproduce/feedback_value_fresh.py --runs runs/feedback_value --seeds 10

The settings of student and policies were found by looking at test accuracies of task seed 0. This draws the test split
of another task seed, drops every question of seed 0's val and test, and compares again.
"""

import argparse
import logging
import warnings
from pathlib import Path

from feedback_value import BASELINE, CELLS
from lightning.pytorch import Trainer

from dataenvgym.reading.run import SPLITS, read_run
from datamodules import StudentDataModule
from environments.statistics import paired_by_seed
from lightning_modules import CausalLMStudent
from lightning_modules.callbacks import SkillMetrics
from tasks.math import ProceduralMathTask
from tasks.types import TaskInstance


def accuracy(path: Path, task: ProceduralMathTask, instances: list[TaskInstance]) -> float:
    """Accuracy on the instances of the student that a run's last step trained."""
    run = read_run(path)
    student = CausalLMStudent(
        str(run.folder(max(run.trained)) / "student"), tuning="full", max_length=128, max_new_tokens=32
    )
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
    """Scores all students and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/feedback_value"), help="--out of feedback_value.py")
    parser.add_argument("--seeds", type=int, default=8, help="number of seeds, from 0")
    parser.add_argument("--task_seed", type=int, default=1, help="seed of the fresh instances")
    parser.add_argument("--test_size", type=int, default=2592, help="instances to draw, 48 for each subskill")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    task = ProceduralMathTask(seed=arguments.task_seed, test_size=arguments.test_size)
    known = {instance.instruction for split in SPLITS for instance in ProceduralMathTask().instances(split)}
    instances = [instance for instance in task.instances("test") if instance.instruction not in known]
    print(f"{len(instances)} fresh test instances")
    values: dict[str, list[float]] = {}
    for name in CELLS:
        runs = [arguments.runs / f"{name}-seed{seed}" for seed in range(arguments.seeds)]
        values[name] = [accuracy(path, task, instances) for path in runs]
        differences = [own - base for own, base in zip(values[name], values[BASELINE], strict=True)]
        gain = paired_by_seed(differences)
        interval = "" if gain.ci95 is None else f" ({gain.ci95[0]:+.2f} to {gain.ci95[1]:+.2f}), p = {gain.p_value:.2g}"
        won = sum(difference > 0 for difference in differences)
        mean = 100 * sum(values[name]) / len(values[name])
        compared = "" if name == BASELINE else f", minus {BASELINE} {gain.points:+.2f}{interval}, {won} seeds won"
        print(f"{name:<12} {mean:.1f} %{compared}", flush=True)


if __name__ == "__main__":
    main()
