"""Variants of the loop are options: each runs with a real student, and resumes to the same bytes."""

import json
import sys
from pathlib import Path

import pytest

from dataenvgym.cli.main import main
from tests.environments.interrupted import cut_after

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from kill_and_resume import comparable, differences  # noqa: E402

VARIANTS = {
    "latest_pool": ("--environment.pool", "latest"),
    "from_previous": ("--environment.start", "previous"),
    "lora_from_previous": ("--environment.start", "previous", "--model.tuning", "lora", "--model.lora_dropout", "0.1"),
    "accumulate": ("--environment.calls_per_step", "3"),
    "soft_budget": ("--environment.budget.hard", "false"),
}


def lines(run_dir):
    return [json.loads(line) for line in (run_dir / "episode.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_runs_and_resumes(episode_words, tmp_path, variant):
    run_dir = tmp_path / "run"
    words = episode_words(run_dir, *VARIANTS[variant])
    assert main(words) == 0
    whole = comparable(run_dir)
    assert [line["trained"] for line in lines(run_dir)] == [False, True, True]
    cut_after(run_dir, steps=1)
    assert main([*words, "--resume"]) == 0
    assert differences(whole, comparable(run_dir)) == []


@pytest.mark.slow
def test_open_loop_is_a_single_step(episode_words, tmp_path):
    assert main(episode_words(tmp_path / "run", "--environment.budget.max_steps", "1")) == 0
    assert [line["step"] for line in lines(tmp_path / "run")] == [0, 1]


@pytest.mark.slow
def test_start_and_pool_change_what_is_trained(episode_words, tmp_path):
    weights = {}
    for name in ("base", "from_previous", "latest_pool"):
        run_dir = tmp_path / name
        # One step of one epoch has a rate of 0: it is all warm-up.
        assert main(episode_words(run_dir, "--trainer.max_epochs", "3", *VARIANTS.get(name, ()))) == 0
        weights[name] = comparable(run_dir)["step_02/student/model.safetensors"]
    assert len(set(weights.values())) == 3


@pytest.mark.slow
def test_a_saved_student_is_a_student(episode_words, tmp_path):
    assert main(episode_words(tmp_path / "first")) == 0
    student = tmp_path / "first/step_02/student"
    assert main(episode_words(tmp_path / "second", "--model.model_name_or_path", str(student))) == 0
    last, first = lines(tmp_path / "first")[-1], lines(tmp_path / "second")[0]
    assert (last["val"], last["test"]) == (first["val"], first["test"])
