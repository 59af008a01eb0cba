"""Every fragment under configs/ composes, and every teacher runs in the environment that it is named after."""

import json
from pathlib import Path

import pytest
import yaml
from llm_server import LLMServer
from procedural_brain import ProceduralBrain

from dataenvgym.cli.configuration_files import read_words
from dataenvgym.cli.main import main
from tasks.math import ProceduralMathTask

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"


def names(folder):
    found = sorted(path.stem for path in (CONFIGS / folder).glob("*.yaml"))
    assert found
    return found


def test_every_fragment_holds_one_to_three_known_blocks():
    known = {"task", "model", "data", "trainer", "environment", "teacher", "seed_everything"}
    for folder in ("tasks", "students", "environments", "teachers"):
        for name in names(folder):
            blocks = set(yaml.safe_load((CONFIGS / folder / f"{name}.yaml").read_text()))
            assert blocks <= known and 1 <= len(blocks) <= 3, name


@pytest.fixture
def chat_model(monkeypatch):
    with LLMServer(ProceduralBrain(ProceduralMathTask(val_size=54, test_size=54))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", server.key)
        yield server


@pytest.mark.parametrize("teacher", names("teachers"))
def test_teacher_runs_in_its_environment(episode_words, tmp_path, teacher, chat_model):
    own = next((name for name in names("environments") if teacher.startswith(name)), None)
    for environment in [own] if own else names("environments"):
        run_dir = tmp_path / environment
        assert main(episode_words(run_dir, environment=environment, teacher=teacher)) == 0
        summary = json.loads((run_dir / "summary.json").read_text())
        assert summary["status"] == "finished"
        assert summary["steps"] == 2
        assert 0 < summary["records"] <= 60
    assert bool(chat_model.bodies) == teacher.endswith("_llm")


@pytest.mark.parametrize(
    ("folder", "name"), [(folder, name) for folder in ("tasks", "students") for name in names(folder)]
)
def test_fragment_composes_with_the_others(folder, name, capsys):
    chosen = {"tasks": "math_procedural", "students": "tiny_text", "environments": "skill_list"} | {folder: name}
    words = ["episode"]
    for kind, fragment in (*chosen.items(), ("teachers", "skill_list_procedural")):
        words += ["--config", str(CONFIGS / kind / f"{fragment}.yaml")]
    with pytest.raises(SystemExit) as exit_:
        main([*words, "--print_config"])
    assert exit_.value.code == 0
    assert {"task", "model", "data", "trainer", "environment", "teacher"} <= set(
        yaml.safe_load(capsys.readouterr().out)
    )


def test_fragments_merge_in_either_order(capsys):
    fragments = [
        "tasks/math_procedural",
        "students/tiny_text",
        "environments/skill_tree",
        "teachers/no_state_procedural",
    ]
    printed = []
    for order in (fragments, fragments[::-1]):
        words = [word for fragment in order for word in ("--config", str(CONFIGS / f"{fragment}.yaml"))]
        with pytest.raises(SystemExit):
            main(["episode", *words, "--environment.budget.max_records", "123", "--print_config"])
        printed.append(yaml.safe_load(capsys.readouterr().out))
    assert printed[0] == printed[1]
    assert printed[0]["environment"]["init_args"]["budget"]["max_records"] == 123


@pytest.mark.parametrize("command", ["episode", "fit"])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert "--task" in text and "What is asked" in text
    assert main(["--help"]) == 0
    assert "Start here" in capsys.readouterr().out


def test_a_fragment_that_adds_to_a_part_waits_for_its_class_and_for_nothing_else():
    def path(name):
        return str(CONFIGS / f"{name}.yaml")

    skills, listed = path("skills/clustered"), path("environments/skill_list")
    words = ["--config", skills, "--seed_everything", "1", "--config", listed, "--run_dir", "x"]
    moved = ["--seed_everything", "1", "--config", listed, "--config", skills, "--run_dir", "x"]
    assert read_words(words) == moved and read_words(moved) == moved
    named = ["--environment", "environments.SkillListEnvironment", "--config", skills, "--environment.skills.x", "5"]
    assert read_words(named) == named, "an option has named the class, and what comes later counts"
    alone = ["--config", skills, "--trainer.max_epochs", "2"]
    assert read_words(alone) == alone
    text = "{trainer: {max_epochs: 1}, task: {class_path: " + "a" * 300 + "}}"
    assert read_words([f"--config={text}", "--config", listed]) == [f"--config={text}", "--config", listed]
