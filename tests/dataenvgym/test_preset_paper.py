"""The preset ``paper`` against what is known of the paper, and its rehearsal end to end in a shorter form."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rehearsal
import table_main
import yaml
from presets import PAPER, PRESETS

from dataenvgym import catalogue
from dataenvgym.studies.presets import ENVIRONMENTS

ROOT = Path(__file__).parents[2]

# Of all students (S: the paper's own documents; C: the authors' code), by setting of their fragments.
LORA = {"tuning": "lora", "lora_rank": 16, "lora_alpha": 32, "lora_dropout": 0.05, "lora_target_modules": "all-linear"}
LANGUAGE = {**LORA, "optimizer": "adam", "schedule": "cosine", "warmup_ratio": 0.1, "lr": 1e-4, "max_length": 1024}
VISION = {**LORA, "optimizer": "adamw", "lr": 2e-5, "weight_decay": 1e-6, "warmup_steps": 2}
# Of each benchmark: student, its settings, epochs, precision, most new tokens.
STUDENTS = {
    "math": ("google/gemma-2-2b-it", LANGUAGE, 3, "16-mixed", 350),
    "livecodebench": ("meta-llama/Meta-Llama-3-8B-Instruct", LANGUAGE, 3, "16-mixed", 2000),
    "mnms": ("meta-llama/Meta-Llama-3-8B-Instruct", LANGUAGE, 3, "16-mixed", 256),
    "gqa": ("google/paligemma-3b-pt-224", VISION, 10, "bf16-mixed", 100),
    "naturalbench": ("google/paligemma-3b-pt-224", VISION, 10, "bf16-mixed", 100),
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("domain", PAPER.domains)
def test_students_and_budgets_are_the_papers(domain, environment):
    cell = PAPER.cell(domain, environment, 0)
    name, settings, epochs, precision, tokens = STUDENTS[domain]
    assert cell.setting("model.model_name_or_path") == name
    assert {key: cell.setting(f"model.{key}") for key in settings} == settings
    assert (cell.setting("trainer.max_epochs"), cell.setting("trainer.precision")) == (epochs, precision)
    assert cell.setting("model.max_new_tokens") == tokens
    assert cell.setting("data.batch_size") * (cell.setting("trainer.accumulate_grad_batches") or 1) == 16
    budget = cell.setting("environment.budget.max_records"), cell.setting("environment.budget.max_steps")
    assert budget == (100_000 if environment == "skill_tree" else 750, 10)
    assert (cell.setting("environment.start") or "base", cell.setting("environment.pool") or "all") == ("base", "all")
    chat = cell.setting("teacher.chat")["init_args"]
    assert (chat["model"], chat["temperature"]) == ("gpt-4o", 0.0)


@pytest.mark.parametrize("environment", ["skill_list", "skill_tree"])
@pytest.mark.parametrize("domain", PAPER.domains)
def test_skills_are_discovered_in_all_domains(domain, environment):
    skills = PAPER.cell(domain, environment, 0).setting("environment.skills")
    assert skills["class_path"] == "environments.skills.DiscoveredSkills"


@pytest.mark.parametrize("domain", PAPER.domains)
def test_trees_are_taught_by_the_authors_rule_and_caps(domain):
    policy = PAPER.cell(domain, "skill_tree", 0).setting("teacher.policy")
    assert policy["class_path"] == "teachers.policies.AlternatingPolicy"
    rule = {"new_subskills": 2, "records_each": 30, "max_data_for_skill": 200, "hard": False}
    assert rule.items() <= policy["init_args"].items()
    shown = PAPER.without_state(PAPER.cell(domain, "skill_tree", 0)).setting("teacher.policy")["init_args"]
    assert shown["policy"] == policy and shown["feedback"] == "none"


def test_validation_of_mathematics_is_drawn_where_the_paper_drew_it():
    cell = PAPER.cell("math", "open_ended", 0)
    said = {key: cell.setting(f"task.{key}") for key in ("val_from", "overlap", "val_per_group", "instruction_suffix")}
    assert said == {"val_from": "test", "overlap": True, "val_per_group": 50, "instruction_suffix": ""}


def test_a_rehearsal_cuts_what_it_says_and_nothing_else():
    """Everything that the paper's cells say is said by the rehearsal's, but for what its pages list as cut."""
    cut = {
        *("task.init_args.path", "task.init_args.val_per_group", "task.init_args.groups"),
        *("model.init_args.model_name_or_path", "model.init_args.max_new_tokens", "model.init_args.dtype"),
        *("trainer.accelerator", "trainer.precision", "data.init_args.num_workers", "teacher.init_args.engine"),
        *("environment.budget.max_records", "environment.budget.max_steps"),
    }
    own = PRESETS["rehearsal"]
    for paper, ours in zip(table_main.cells_of(PAPER, 0), table_main.cells_of(own, 0), strict=True):
        assert (paper.name, paper.fragments) == (ours.name, ours.fragments)
        changed = {
            key
            for key in {*paper.overrides, *ours.overrides}
            if key != "environment.skills" and paper.overrides.get(key) != ours.overrides.get(key)
        }
        assert changed <= cut, changed - cut
        for cell in (ours, paper):
            skills = cell.setting("environment.skills")
            assert skills is None or skills["class_path"].endswith(".DiscoveredSkills")
        assert ours.setting("environment.budget.max_records") in (100_000, 750 * own.steps / 10)
        assert ours.setting("model.max_new_tokens") == 32
    assert rehearsal.CUTS in own.note


def test_every_fragment_of_skills_and_illustrators_is_an_addition():
    for kind, block in (("skills", "environment"), ("illustrators", "teacher")):
        for name in catalogue.names(kind):
            blocks = yaml.safe_load((catalogue.FOLDER / kind / f"{name}.yaml").read_text(encoding="utf-8"))
            assert set(blocks) == {block} and set(blocks[block]) == {"init_args"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_rehearsal_runs_to_its_tables(tmp_path):
    """In a shorter form: one domain, all rows of the main table, few records and one epoch; then once more."""
    command = [sys.executable, str(ROOT / "scripts/reproduce/table_main.py"), "--preset", "rehearsal", "--seeds", "1"]
    command += ["--domains", "naturalbench", "--out", str(tmp_path / "out")]
    command += ["--", "--environment.budget.max_records", "16", "--trainer.max_epochs", "1"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    page = (tmp_path / "out" / "tables" / "main.md").read_text(encoding="utf-8")
    assert "A REHEARSAL, whose numbers mean nothing" in page and "NaturalBench" in page
    assert "9 episodes" in page
    svg = (tmp_path / "out" / "tables" / "main.svg").read_text(encoding="utf-8")
    assert "REHEARSAL" in svg
    again = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert again.returncode == 0 and "9 of 9 episodes are finished already" in again.stdout
