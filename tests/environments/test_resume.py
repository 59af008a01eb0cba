"""An episode that is killed and resumed leaves the same files, byte for byte; so do two runs of one seed."""

import json
import sys
import time
from pathlib import Path

import pytest
from processes import Command, run

from dataenvgym.cli.main import main
from tests.environments.interrupted import cut_after

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from kill_and_resume import comparable, differences  # noqa: E402

# Each marks a moment: the file appears just before the kill.
MOMENTS = ["config.yaml", "step_00/feedback.json", "step_00/observation_call_1.json", "step_01/student"]
MOMENTS += ["step_01/observation.json", "step_02/records.jsonl"]
SHOWN = ("observation.json", "observation_call_1.json")


@pytest.fixture
def words(episode_words):
    """A skill-tree episode with two teacher calls per step: the environment with the most state."""

    def make(run_dir, *extra):
        return episode_words(
            run_dir,
            *("--environment.calls_per_step", "2"),
            *extra,
            environment="skill_tree",
            teacher="skill_tree_procedural",
        )

    return make


@pytest.mark.slow
def test_sigkill_and_resume_equal_the_undisturbed_run(words, tmp_path):
    assert main(words(tmp_path / "whole")) == 0
    expected = comparable(tmp_path / "whole")
    assert {"config.yaml", "episode.jsonl", "summary.json", "step_02/records.jsonl"} <= set(expected)
    assert {f"step_0{step}/{name}" for step in (0, 1) for name in SHOWN} | {"step_02/observation.json"} <= set(expected)
    run_dir = tmp_path / "killed"
    command = words(run_dir)
    for moment in MOMENTS:
        process = Command([*command, *(["--resume"] if (run_dir / "config.yaml").exists() else [])])
        deadline = time.monotonic() + 240
        while not (run_dir / moment).exists():
            assert process.poll() is None and time.monotonic() < deadline, moment
            time.sleep(0.002)
        process.kill()
    assert run([*command, "--resume"]).returncode == 0
    assert differences(expected, comparable(run_dir)) == []


@pytest.mark.slow
def test_same_seed_or_saved_configuration_same_run_other_seed_other_run(episode_words, tmp_path):
    runs = {}
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert main(episode_words(tmp_path / name, "--seed_everything", str(seed))) == 0
        runs[name] = comparable(tmp_path / name)
    assert differences(runs["a"], runs["b"]) == []
    assert "step_01/records.jsonl" in differences(runs["a"], runs["c"])
    again = ["episode", "--config", str(tmp_path / "a/config.yaml"), "--run_dir", str(tmp_path / "again")]
    assert main(again) == 0
    assert differences(runs["a"], comparable(tmp_path / "again")) == []


@pytest.mark.slow
def test_a_run_directory_is_never_overwritten(episode_words, tmp_path, capsys):
    words = episode_words(tmp_path / "run")
    assert main(words) == 0
    before = comparable(tmp_path / "run")
    assert main(words) == 0
    assert "already" in capsys.readouterr().out
    assert main([*words, "--seed_everything", "9"]) == 2
    assert "another configuration" in capsys.readouterr().err
    cut_after(tmp_path / "run", steps=0)
    assert main(words) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert differences(before, comparable(tmp_path / "run")) == []


@pytest.mark.slow
def test_errors_of_earlier_steps_survive_a_resume(episode_words, tmp_path):
    """Step 3 is taught from the errors after step 1, which a resumed run has from the kept predictions alone."""
    policy = {
        "class_path": "teachers.policies.FeedbackAblationPolicy",
        "init_args": {"policy": "teachers.policies.OpenEndedPolicy", "feedback": "stale"},
    }
    words = [
        *episode_words(tmp_path / "run", teacher="open_ended_procedural"),
        *("--teacher.init_args.policy", json.dumps(policy), "--environment.budget.max_steps", "3"),
    ]
    assert main(words) == 0
    before = comparable(tmp_path / "run")
    specs = json.loads((tmp_path / "run/step_03/plan.json").read_text())["calls"][0]["plan"]["specs"]
    wrong = [json.loads(row) for row in (tmp_path / "run/step_01/predictions.jsonl").read_text().splitlines()]
    like = {spec["like"] for spec in specs} - {None}
    assert like and like <= {row["instance_id"] for row in wrong if row["score"] < 1}
    cut_after(tmp_path / "run", steps=2)
    assert main([*words, "--resume"]) == 0
    assert differences(before, comparable(tmp_path / "run")) == []


@pytest.mark.slow
def test_fit_trains_on_the_records_of_a_run(episode_words, tiny_model, tmp_path):
    assert main(episode_words(tmp_path / "run")) == 0
    command = [
        "fit",
        *("--config", str(ROOT / "configs/tasks/math_procedural.yaml")),
        *("--config", str(ROOT / "configs/students/tiny_text.yaml")),
        *("--model.init_args.model_name_or_path", str(tiny_model)),
        *("--data.records", str(tmp_path / "run/step_01/records.jsonl")),
        *("--trainer.max_epochs", "1", "--trainer.default_root_dir", str(tmp_path / "fit")),
    ]
    done = run(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "fit").rglob("*.ckpt"))
