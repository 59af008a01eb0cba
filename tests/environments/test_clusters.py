"""Instances in groups: who says so, where it is written, and intervals that keep them whole, wherever shown."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dataenvgym.reading import read_run
from dataenvgym.reporting.leaderboard import make_leaderboard
from dataenvgym.reporting.leaderboard_page import to_markdown
from dataenvgym.reporting.pages import interval, pct
from dataenvgym.reporting.report import write_report
from environments.budget import Budget
from environments.open_ended import OpenEndedEnvironment
from environments.run.directory import RunDir
from environments.run.recorder import RunRecorder
from environments.run.summary import summarise
from environments.statistics import accuracy_interval, best_of_steps, clustered_gain, paired_gain
from environments.statistics.clusters import clusters_of
from teachers.policies import OpenEndedPolicy
from tests.dataenvgym.judged_runs import GROUPED, judged_run
from tests.dataenvgym.test_leaderboard import RANDOM, first_step
from tests.environments.toy import Kept, MemoryRecorder, ToyTask, made, run

FACTS = {"seed": 0, "task": "toy", "environment": "Open", "teacher": "T", "student": "S"}


def width(ends: Any) -> float:
    return float(ends[1] - ends[0])


def test_instances_without_a_group_among_others_are_alone() -> None:
    assert clusters_of([("a", None), ("b", None)]) is None and clusters_of([]) is None
    assert clusters_of([("a", "x"), ("x", None), ("c", "x")]) == ["x", "instance x", "x"]


def recorded(folder: Path, task: ToyTask) -> tuple[Kept, dict[str, Any]]:
    """The summary of an episode in which nothing but the student is a stand-in."""
    kept, budget = Kept(), Budget(max_records=120, max_steps=4)
    run(made(OpenEndedEnvironment, budget, task, recorder=MemoryRecorder(kept)), OpenEndedPolicy(task))
    recorder, directory = RunRecorder(RunDir(folder), FACTS, task=task), RunDir(folder)
    for result, answers in zip(kept.steps, kept.evaluations, strict=True):
        instances = {i.instance_id: i for split in ("val", "test") for i in task.instances(split)}
        rows = [
            {**asdict(one), "split": split, "skill": None, "cluster": task.cluster_of(instances[one.instance_id])}
            for split, part in (("val", answers.val), ("test", answers.test))
            for one in part
        ]
        directory.write_rows(result.step, "predictions.jsonl", rows)
        recorder.keep_step(result, answers)
    summary = recorder.write_summary("finished")
    recorder.close()
    return kept, summary


def test_a_summary_keeps_groups_whole_also_after_a_resume(tmp_path: Path) -> None:
    kept, summary = recorded(tmp_path, GROUPED)
    assert "cluster" in json.loads((tmp_path / "step_00/predictions.jsonl").read_text().splitlines()[0])
    first, last = kept.evaluations[0], kept.evaluations[summary["after"]["step"]]
    for split in ("val", "test"):
        clusters = [str(number // 4) for number in range(48)]
        before, after = ([one.score for one in getattr(part, split)] for part in (first, last))
        assert summary["after"][split]["groups"] == 12 and summary["after"][split]["n"] == 48
        assert summary["gain"][split] == asdict(clustered_gain(before, after, clusters))
        assert summary["after"][split]["ci95"] == accuracy_interval(after, clusters=clusters)
    again = RunRecorder(RunDir(tmp_path), FACTS, task=GROUPED)
    assert again.restore() is not None
    assert again.write_summary("finished") == summary
    again.close()


def test_without_groups_rows_and_summaries_name_none(tmp_path: Path) -> None:
    kept, summary = recorded(tmp_path, ToyTask())
    assert "cluster" not in (tmp_path / "step_00/predictions.jsonl").read_text()
    assert "groups" not in json.dumps(summary)
    before, after = ([one.score for one in kept.evaluations[step].test] for step in (0, summary["after"]["step"]))
    assert summary["gain"]["test"] == asdict(paired_gain(before, after))


def test_a_choice_that_cannot_be_halved_is_not_corrected() -> None:
    report = {"overall": {"value": 1.0, "n": 1}, "skills": {}, "metrics": {}}
    counts = {"step": 0, "records": 0, "rejected": {}, "truncated_records": 0, "seconds": {}}
    summary = summarise([{**counts, "val": report, "test": report}], {0: {"val": [1.0], "test": [1.0]}}, FACTS, "", {})
    assert summary["best"]["val_of_choice"] == {"naive": None, "corrected": None, "optimism_points": None}


def test_a_leaderboard_keeps_groups_whole(tmp_path: Path) -> None:
    runs = [
        judged_run(tmp_path / "good", gain=0.4, grouped=True),
        judged_run(tmp_path / "random", RANDOM, gain=0.1, grouped=True),
        judged_run(tmp_path / "longer", first_step(), gain=0.05, epochs=12, grouped=True),
    ]
    board = make_leaderboard(runs)
    assert board.refused == ()
    row = board.boards[0].teachers[0]
    good, random = (read_run(run) for run in runs[:2])
    first, last, other = good.scores[0]["test"], good.scores[3]["test"], random.scores[3]["test"]
    assert row.gain == clustered_gain(first, last, good.clusters["test"])
    assert row.over["no_state"] == clustered_gain(other, last, good.clusters["test"])
    assert width(row.gain.ci95) > 1.5 * width(paired_gain(first, last).ci95)
    assert row.interval is not None and width(row.interval) > 1.5 * width(accuracy_interval(last))
    assert row.choice[1] == good.summary["best"]["val_of_choice"]["corrected"]
    assert "by group" in to_markdown(board)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_best_step_has_both_numbers_and_a_report_says_what_its_intervals_are_of(
    tmp_path: Path, grouped: bool
) -> None:
    path = judged_run(tmp_path / "run", gain=0.05, grouped=grouped)
    run, html = read_run(path), write_report([path]).read_text(encoding="utf-8")
    assert set(run.clusters) == ({"val", "test"} if grouped else set())
    best = best_of_steps({step: scores["val"] for step, scores in run.scores.items()}, clusters=run.clusters.get("val"))
    choice = run.summary["best"]["val_of_choice"]
    assert choice == {"naive": best.naive, "corrected": best.corrected, "optimism_points": best.optimism}
    assert choice["naive"] == run.summary["best"]["val"]["accuracy"] >= choice["corrected"]
    for text in ("48 instances in 12 groups", "intervals by groups of instances", "over groups of instances"):
        assert (text in html) == grouped
    assert f"{pct(choice['naive'])} on the validation instances that chose it" in html
    assert f"{pct(choice['corrected'])} on instances that took no part in it" in html
    assert interval(run.summary["gain"]["test"]["ci95"], True) in html
    summary = json.loads((path / "summary.json").read_text())
    del summary["best"]["val_of_choice"]  # as in runs of before
    (path / "summary.json").write_text(json.dumps(summary))
    assert "took no part in it" not in write_report([path]).read_text(encoding="utf-8")
