"""The files of a run: in which order they are written, so that a kill at any write loses nothing but the write."""

import os
import sys
from pathlib import Path

from environments import Budget, SkillTreeEnvironment
from environments.run.directory import RunDir
from environments.run.recorder import RunRecorder
from tasks.records import write_atomic
from teachers.batch import Batch
from teachers.engines import ProceduralEngine
from teachers.plan import DataSpec
from teachers.policies import AlternatingPolicy
from tests.environments.toy import Kept, Killed, LookupLoop, ToyTask, run

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from kill_and_resume import comparable, differences


class WrittenLoop(LookupLoop):
    def __init__(self, task, folder, students):
        super().__init__(task, kept=Kept(students=students))
        self._run_dir = RunDir(folder)

    def run(self, step, records, start, previous, skills):
        evaluation = super().run(step, records, start, previous, skills)
        rows = [
            {"split": split, "instance_id": one.instance_id, "score": one.score, "text": one.text}
            for split, answers in (("val", evaluation.val), ("test", evaluation.test))
            for one in answers
        ]
        self._run_dir.write_rows(step, "predictions.jsonl", rows)
        return evaluation


class SpoilingEngine(ProceduralEngine):
    def generate(self, plan):
        records = super().generate(plan)
        return Batch([*records, *records[:1]])


class MixedPolicy(AlternatingPolicy):
    """Grows the trees in the first call of a step, and orders records of any kind in the second."""

    def act(self, observation):
        return [DataSpec(7)] if observation.call else super().act(observation)


def teach(folder, students):
    task = ToyTask()
    recorder = RunRecorder(RunDir(folder), {"seed": 0}, task=task)
    budget = Budget(max_records=60, max_steps=2)
    environment = SkillTreeEnvironment(task, WrittenLoop(task, folder, students), recorder, budget, calls_per_step=2)
    try:
        return run(environment, MixedPolicy(task, new_subskills=1, records_each=5), SpoilingEngine(task))
    finally:
        recorder.close()


def test_a_kill_at_any_write_changes_nothing(tmp_path, monkeypatch):
    """Killed just before a file takes its place, at each of an episode's files: all that a kill can leave behind."""
    expected = teach(tmp_path / "whole", {})
    whole = comparable(tmp_path / "whole")
    assert {"step_02/records.jsonl", "step_02/rejected.jsonl", "step_02/plan.json", "summary.json"} <= set(whole)
    replace, left = os.replace, [0]

    def killed(*paths):
        left[0] -= 1
        if not left[0]:
            raise Killed
        replace(*paths)

    for moment in range(1, 200):
        folder, students = tmp_path / str(moment), {}
        left[0] = moment
        monkeypatch.setattr(os, "replace", killed)
        try:
            teach(folder, students)
            break
        except Killed:
            pass
        finally:
            monkeypatch.undo()
        observations = teach(folder, students)
        assert observations == expected[-len(observations) :], moment
        assert differences(whole, comparable(folder)) == [], moment
    assert moment > 15


def test_a_file_is_on_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        kept = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, kept=kept: (events.append(name), kept(*args))[1])
    write_atomic(tmp_path / "episode.jsonl", "{}\n")
    assert events == ["fsync", "replace"]
