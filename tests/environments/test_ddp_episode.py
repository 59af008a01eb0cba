"""Two processes: both train, every validation instance is scored once, the teacher is asked once, files are whole."""

import json
from collections import Counter

import pytest
from processes import run
from test_variants import comparable, differences

from dataenvgym.cli.main import main
from tests.environments.interrupted import cut_after


@pytest.mark.slow
def test_two_processes_make_one_episode(episode_words, tmp_path):
    """In the environment with the most state; the trees that its policy grows depend on what was measured."""
    policy = ("--teacher.init_args.policy", "counting_teacher.CountingPolicy")
    policy += ("--teacher.init_args.policy.init_args.marks", str(tmp_path / "marks"))
    words = {
        name: episode_words(tmp_path / name, *policy, *extra, environment="skill_tree", teacher="skill_tree_procedural")
        for name, extra in {"one": (), "two": ("--trainer.strategy", "ddp", "--trainer.devices", "2")}.items()
    }
    assert main(words["one"]) == 0
    (tmp_path / "marks").unlink()
    done = run(words["two"])
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "marks").read_text().splitlines()) == 2  # one call for each of the two steps
    one, two = tmp_path / "one", tmp_path / "two"
    assert (one / "step_01/records.jsonl").read_bytes() == (two / "step_01/records.jsonl").read_bytes()
    assert len((two / "episode.jsonl").read_text().splitlines()) == 3
    for step in range(3):
        rows = [json.loads(line) for line in (two / f"step_{step:02d}/predictions.jsonl").read_text().splitlines()]
        counts = Counter((row["split"], row["instance_id"]) for row in rows)
        assert set(counts.values()) == {1}
        assert Counter(split for split, _ in counts) == {"val": 54, "test": 54}
    assert json.loads((two / "summary.json").read_text())["status"] == "finished"
    whole = comparable(two)
    cut_after(two, steps=1)
    done = run([*words["two"], "--resume"])
    assert done.returncode == 0, done.stderr
    assert differences(whole, comparable(two)) == []


@pytest.mark.slow
def test_an_error_on_rank_zero_ends_both_processes_with_its_own_line(episode_words, tmp_path):
    words = episode_words(tmp_path / "run", "--trainer.strategy", "ddp", "--trainer.devices", "2")
    done = run([*words, "--teacher.init_args.policy", "teachers.policies.AlternatingPolicy"])
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "environment" in next(line for line in done.stderr.splitlines() if "error:" in line)
