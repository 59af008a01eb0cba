"""Every code block of the documents runs as it is printed; one that nobody listed here fails."""

import glob
import json
import os
import re
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from documents import DOCUMENTS, ROOT, Block, blocks, commands
from processes import run
from tiny_vision_models import make_tiny_vision_model

import dataenvgym
from dataenvgym.cli.main import main
from environments.run.observations import read_observation
from tasks.code.verdict import Verdict
from tasks.vqa.scenes import draw_scene, read_scene, scene_of
from teachers.observation import Observation
from teachers.testing import check_policy
from tests.dataenvgym.test_leaderboard import floors, teacher
from tests.environments.toy import ToyTask
from tests.tasks.math_rows import write_splits
from tests.teachers.taught import TaughtToyTask, saying, taught_by

# Blocks of commands, and what is added to each of them so that it takes seconds: "" runs it as printed. The tables of
# the embedded preset take 97 minutes, those of the paper's preset and MATH need a GPU, a key and the hub: --dry_run.
SHELL = {
    "README.md: dataenvgym episode --config configs/tasks/math_procedural.yaml -": "small",
    "README.md: python scripts/reproduce/table_main.py --preset embedded --seeds": "--dry_run",
    "README.md: export OPENAI_API_KEY=…": "",
    "README.md: dataenvgym episode --config configs/quickstart.yaml --teacher.in": "small",
    "docs/comparing.md: dataenvgym leaderboard runs/feedback_ablation/*-seed*": "",
    "docs/comparing.md: dataenvgym export runs/quickstart --to exported/quickstart": "",
    "docs/language_models.md: export OPENAI_API_KEY=…": "",
    "docs/reproducing.md: python scripts/reproduce/table_main.py --preset embedded --seeds": "--dry_run",
    "docs/suite.md: dataenvgym suite weakest.WeakestSkillPolicy --seeds 3": "--dry_run",
    "docs/simulation.md: dataenvgym suite weakest.WeakestSkillPolicy --simulated --challe": "",
    "tasks/code/README.md: dataenvgym episode --config configs/tasks/code_procedural.yaml -": "small",
    "tasks/math/README.md: dataenvgym episode --config configs/tasks/math_procedural.yaml -": "small",
    "tasks/math/README.md: dataenvgym episode --config configs/tasks/math.yaml --config con": "--dry_run",
    "tasks/tool_use/README.md: dataenvgym episode --config configs/tasks/tool_use_procedural.ya": "small",
    "tasks/vqa/README.md: dataenvgym episode --config configs/tasks/vqa_procedural.yaml --": "small",
}  # fmt: skip

# Blocks that make an environment of their own with pip, which needs the network: the scripts are read by bash.
SCRIPTS = {
    "README.md: ./scripts/quickstart.sh",
    "CONTRIBUTING.md: ./scripts/test.sh",
    "CONTRIBUTING.md: ./tests/foreign_servers/install.sh",
}

# All others, each with a test of its own below, by the name of that test.
OTHERS = {
    "README.md: import dataenvgym": "the_loop",
    "README.md: from weakest import WeakestSkillPolicy": "a_run_from_python",
    "README.md: # weakest.py: all records go to the student's weakest skill": "the_readmes_policy",
    "README.md: tasks/": "the_folders",
    "docs/language_models.md: # hardest.py, with the template prompts/hardest.jinja beside it": "a_policy_that_asks",
    "docs/language_models.md: {# prompts/hardest.jinja #}": "a_policy_that_asks",
    "docs/reproducing.md: # table_batches.py": "a_table_of_ones_own",
    "docs/run_directory.md: from environments.run.observations import read_observation": "an_observation_is_read",
    "docs/simulation.md: import gymnasium": "a_simulated_game",
    "tasks/code/README.md: from tasks.code.sandbox import Sandbox": "the_sandbox",
    "tasks/vqa/README.md: red circle large at 12 40; blue square small at 45 20": "a_scene",
    "tasks/vqa/README.md: teacher:": "an_illustrator",
}  # fmt: skip

FORESEEN: list[list[str]] = []  # commands that have been run, of those that only tell what would be spent

PAPER_FORECAST = ["scripts/reproduce/table_main.py", "--preset", "paper", "--dry_run"]

BLOCKS = {block.name: block for block in blocks()}


def test_every_block_is_listed_and_every_listed_block_is_there() -> None:
    names = [block.name for block in blocks()]
    assert len(names) == len(set(names)), "two blocks of a document begin with the same line"
    assert set(names) == {*SHELL, *SCRIPTS, *OTHERS}
    assert not set(SHELL) & SCRIPTS and not {*SHELL, *SCRIPTS} & set(OTHERS)
    tests = {name.removeprefix("test_") for name in globals()}
    assert set(OTHERS.values()) <= tests
    assert {Path(name) for name in ("README.md", "CONTRIBUTING.md", "docs/comparing.md")} <= set(DOCUMENTS)
    for name, block in BLOCKS.items():
        assert (block.language == "bash") == (name in SHELL or name in SCRIPTS), name


def block_of(test: str, language: str = "python") -> str:
    (text,) = [BLOCKS[name].text for name, own in OTHERS.items() if own == test and BLOCKS[name].language == language]
    return text


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny_model) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("seeing")
    return {"tiny_text": tiny_model, "tiny_vlm": make_tiny_vision_model(folder / "model", "paligemma")}


def small(words: list[str], models: dict[str, Path]) -> list[str]:
    """What is put behind an episode's or a fit's words so that it takes seconds."""
    text = " ".join(words)
    seeing = "tiny_vlm" in text
    # quickstart.yaml names its fragments itself
    settings = ["--model.init_args.model_name_or_path", str(models["tiny_vlm" if seeing else "tiny_text"])]
    settings += ["--task.init_args.val_size", "36", "--task.init_args.test_size", "36", "--trainer.max_epochs", "1"]
    settings += ["--model.init_args.max_length", "160"] if seeing else ["--model.init_args.max_new_tokens", "4"]
    if words[0] == "episode":
        settings += ["--environment.budget.max_records", "30", "--environment.budget.max_steps", "2"]
    return settings


@pytest.fixture
def workplace(tmp_path, monkeypatch, models) -> Path:
    """A folder like a clone of the repository in which the quickstart and other runs are finished."""
    for name in ("configs", "scripts", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATAENVGYM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def prepare(block: Block, workplace: Path, models: dict[str, Path]) -> None:
    if "configs/tasks/math.yaml" in block.text or "--preset paper" in block.text:
        write_splits(workplace / "data" / "math", train=40, test=8)
    if "weakest." in block.text:
        (workplace / "weakest.py").write_text(block_of("the_readmes_policy"), encoding="utf-8")
    if "my_teacher.yaml" in block.text:
        (workplace / "my_teacher.yaml").write_text("teacher: {init_args: {policy: teachers.policies.Exp3Policy}}\n")
    if "runs/feedback_ablation" in block.text:
        made = workplace / "made"
        for folder in [*floors(made), *teacher(made)]:
            name = folder.name.replace("-", "-seed")
            (workplace / "runs/feedback_ablation").mkdir(parents=True, exist_ok=True)
            folder.rename(workplace / "runs/feedback_ablation" / name)
    if "runs/quickstart" in block.text:
        words = ["episode", "--config", "configs/quickstart.yaml", "--run_dir", "runs/quickstart"]
        assert main([*words, *small(words, models)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SHELL)
def test_commands(name, workplace, models, monkeypatch, capsys) -> None:
    block = BLOCKS[name]
    prepare(block, workplace, models)
    known = 0
    for words in commands(block.text):
        if words[0] == "export":
            variable, _, value = words[1].partition("=")
            monkeypatch.setenv(variable, value.replace("…", "a-key"))  # what the reader has to fill in
            continue
        added = SHELL[name].split()
        if added == ["small"]:
            added = small(words[1:], models) if words[1] in ("episode", "fit") else []
        if added == ["--dry_run"] and "--dry_run" in words:
            added = []
        if "embedded" in words:
            added += ["--domains", "math"]  # of the four, whose rows differ in nothing that is estimated
        known += 1
        if "--dry_run" in (whole := [*words, *added]):
            if whole in FORESEEN:
                continue  # another document has the same command
            FORESEEN.append(whole)
        words = [found for word in words for found in (sorted(glob.glob(word)) if "*" in word else [word])]
        if words[0] == "dataenvgym":
            assert main([*words[1:], *added]) == 0, words
        else:
            assert words[0] == "python", f"how is {words} to be run?"
            monkeypatch.setattr(sys, "argv", [*words[1:], *added])
            monkeypatch.syspath_prepend(Path(words[1]).resolve().parent)
            try:
                runpy.run_path(words[1], run_name="__main__")
            except SystemExit as ended:
                # Benchmarks that only the hub has: their rows say so, the others are estimated.
                assert ended.code == 2 and words[1:] == PAPER_FORECAST, capsys.readouterr()
        said = capsys.readouterr().out
        assert said, "a command says what it did"
        if words[1:] == PAPER_FORECAST:
            assert re.search(r"\| math-open_ended +\| +3 \| +[\d,]+ \|", said)
            assert "gqa" in said and "Missing from the total" in said
    assert known


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_are_there_and_bash_can_read_them(name) -> None:
    for words in commands(BLOCKS[name].text):
        if words[:3] == ["python", "-m", "pytest"]:
            assert list((ROOT / words[3]).glob("test_*.py"))
            continue
        path = ROOT / words[0]
        assert os.access(path, os.X_OK)
        subprocess.run(["bash", "-n", str(path)], check=True)


def shortened(name: str, models: dict[str, Path], monkeypatch) -> None:
    settings = {
        "model.init_args.model_name_or_path": str(models["tiny_text"]),
        "model.init_args.max_new_tokens": 4,
        **{"task.init_args.val_size": 54, "task.init_args.test_size": 54, "trainer.max_epochs": 1},
    }
    whole = getattr(dataenvgym, name)
    budget = {"max_records": 60, "max_steps": 2}
    monkeypatch.setattr(
        dataenvgym, name, lambda *args, **given: whole(*args, **{**given, **budget, "settings": settings})
    )


def test_the_loop(workplace, models, monkeypatch) -> None:
    shortened("make", models, monkeypatch)
    names: dict[str, object] = {}
    exec(block_of("the_loop"), names)
    observation, env = names["observation"], names["env"]
    assert isinstance(observation, Observation) and observation.last
    assert [past.step for past in observation.history] == [0, 1, 2]
    run = dataenvgym.load(env.run_dir)  # type: ignore[attr-defined]
    assert run.status == "finished" and 0 < run.summary["records"] <= 60
    assert (run.path / "report.html").is_file()


def test_a_run_from_python(workplace, models, monkeypatch, capsys) -> None:
    shortened("run", models, monkeypatch)
    (workplace / "weakest.py").write_text(block_of("the_readmes_policy"), encoding="utf-8")
    monkeypatch.delitem(sys.modules, "weakest", raising=False)
    names: dict[str, object] = {}
    exec(block_of("a_run_from_python"), names)
    assert names["run"].seed == 3 and names["run"].summary["teacher"] == "WeakestSkillPolicy"  # type: ignore[attr-defined]
    assert "points" in capsys.readouterr().out


@pytest.mark.parametrize("seed", [0, 1])
def test_the_readmes_policy(seed) -> None:
    names: dict[str, object] = {}
    exec(block_of("the_readmes_policy"), names)
    check_policy(names["WeakestSkillPolicy"], ToyTask(), seed)  # type: ignore[arg-type]
    assert len(block_of("the_readmes_policy").splitlines()) <= 30


def test_the_folders() -> None:
    lines = block_of("the_folders", "").splitlines()
    named = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert named and all((ROOT / name).is_dir() for name in named)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= {name.strip("/") for name in named}


def test_a_policy_that_asks(tmp_path, monkeypatch) -> None:
    task = TaughtToyTask()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/hardest.jinja").write_text(block_of("a_policy_that_asks", "jinja"), encoding="utf-8")
    (tmp_path / "hardest.py").write_text(block_of("a_policy_that_asks"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hardest", raising=False)
    import hardest  # type: ignore[import-not-found]

    for reply in (json.dumps({"descriptions": ["numbers of skill0", "others"]}), "I would rather not."):
        with taught_by(saying(reply)) as heard:
            check_policy(partial(hardest.HardestPolicy, chat=heard.calls), task)
        assert any("It got these wrong:" in prompt and "skill0" in prompt for prompt in heard.prompts)


@pytest.mark.slow
def test_a_table_of_ones_own(tmp_path, monkeypatch, capsys) -> None:
    script = tmp_path / "table_batches.py"
    script.write_text(block_of("a_table_of_ones_own"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "--dry_run", "--seeds", "1"])
    names = runpy.run_path(str(script), run_name="__main__")
    assert "5 episodes to run." in capsys.readouterr().out
    from tests.dataenvgym.test_tables import rows_of

    study, small = SimpleNamespace(**names), names["SMALL"]
    text = study.summarise(small, rows_of(small, study)).tables["batches"].markdown()
    assert "| batches of 8 | batches of 32 |" in text


@pytest.mark.slow
def test_tables_are_made_from_any_folder(tmp_path) -> None:
    script = ROOT / "scripts" / "reproduce" / "table_iterations.py"
    done = run([script, "--domains", "math", "--seeds", "1", "--dry_run"], script=True, cwd=tmp_path)
    assert done.returncode == 0 and "4 episodes to run." in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())


def test_a_simulated_game() -> None:
    made: dict[str, object] = {}
    exec(block_of("a_simulated_game"), made)
    assert made["done"] and made["info"]["expected_accuracy"] > 0 and made["many"].num_envs == 1024


def test_an_observation_is_read(tmp_path, monkeypatch, episode_words) -> None:
    words = episode_words(tmp_path / "runs/quickstart", environment="skill_tree", teacher="skill_tree_procedural")
    assert main(words) == 0
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block_of("an_observation_is_read"), names)
    assert names["observation"] == read_observation("runs/quickstart/step_01/observation.json")


def test_the_sandbox(monkeypatch) -> None:
    from tasks.code import sandbox

    verdicts: list[Verdict] = []

    class Watched(sandbox.Sandbox):
        def run(self, *args, **settings):  # type: ignore[no-untyped-def]
            verdicts.append(super().run(*args, **settings))
            return verdicts[-1]

    monkeypatch.setattr(sandbox, "Sandbox", Watched)
    exec(block_of("the_sandbox"), {})
    assert [verdict.outcome for verdict in verdicts] == ["accepted", "accepted"]


def test_a_scene() -> None:
    scene = read_scene(block_of("a_scene", "").strip())
    assert scene_of(draw_scene(scene)) == scene and len(scene.figures) == 2


def test_an_illustrator(tmp_path, capsys) -> None:
    (tmp_path / "drawn.yaml").write_text(block_of("an_illustrator", "yaml"), encoding="utf-8")
    words = ["episode", "--config", str(ROOT / "configs/tasks/vqa_procedural.yaml")]
    for name in ("students/tiny_vlm", "environments/open_ended", "teachers/open_ended_llm"):
        words += ["--config", str(ROOT / f"configs/{name}.yaml")]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--config", str(tmp_path / "drawn.yaml"), "--print_config"])
    assert ended.value.code == 0
    engine = yaml.safe_load(capsys.readouterr().out)["teacher"]["init_args"]["engine"]
    assert engine["class_path"] == "teachers.engines.LLMEngine"
    assert engine["init_args"]["illustrator"]["class_path"] == "teachers.engines.DiffusersIllustrator"
