"""The Python API: the same bytes as the command, no trace in the process, and one line for what cannot work."""

import asyncio
import json
import logging
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import dataenvgym
from dataenvgym.cli.main import main
from environments import Budget, SkillTreeEnvironment
from scripts.kill_and_resume import comparable
from tasks.errors import ConfigurationError, DataEnvGymError, MissingFileError, RunDirectoryError
from tasks.math import ProceduralMathTask
from teachers import DataSpec, Policy
from teachers.engines import ProceduralEngine
from teachers.policies import MasteryPolicy

ROOT = Path(__file__).parents[2]


class Even(Policy):
    def act(self, observation):
        return [DataSpec(observation.even_share())]


class Broken(Policy):
    def act(self, observation):
        raise ConfigurationError("the policy is broken")


@pytest.fixture
def settings(tiny_model):
    return {
        "model.init_args.model_name_or_path": str(tiny_model),
        "model.init_args.max_new_tokens": 4,
        "task.init_args.val_size": 54,
        "task.init_args.test_size": 54,
        "trainer.max_epochs": 1,
    }


@pytest.fixture
def small(settings):
    return {
        "environment": "skill_tree",
        "task": "math_procedural",
        "student": "tiny_text",
        "max_records": 60,
        "max_steps": 2,
        "seed": 3,
        "settings": settings,
    }


def taught(env, policy, engine):
    observation = env.reset()
    while not observation.last:
        plan = env.plan(policy.act(observation))
        observation = env.step(engine.generate(plan))
    env.close()
    return env


def command(settings, run_dir, *fragments):
    given = {**settings, "environment.budget.max_records": 60, "environment.budget.max_steps": 2, "seed_everything": 3}
    words = [word for name in fragments for word in ("--config", name)]
    words += [word for name, value in given.items() for word in (f"--{name}", str(value))]
    assert main(["episode", *words, "--run_dir", str(run_dir)]) == 0
    return comparable(run_dir)


def test_run_writes_what_the_command_writes(settings, tmp_path, capfd):
    expected = command(settings, tmp_path / "command", "quickstart")
    capfd.readouterr()
    given = {"max_records": 60, "max_steps": 2, "seed": 3, "run_dir": tmp_path / "run", "settings": settings}
    run = dataenvgym.run(ROOT / "configs/quickstart.yaml", **given)
    assert comparable(tmp_path / "run") == expected and "config.yaml" in expected
    assert (tmp_path / "run/report.html").is_file()
    assert capfd.readouterr() == ("", "")
    assert run.status == "finished" and run.gain.test is not None
    assert {"skill", "before", "after", "n"} <= set(run.skills.columns)
    assert len(run.predictions(step=2)) == 108
    assert set(run.errors(skill="percent").skill) <= {"percent"}
    assert dataenvgym.run("quickstart", **given).summary == run.summary


def test_the_loop_makes_the_records_of_the_command(small, settings, tmp_path, capfd):
    fragments = ("tasks/math_procedural", "students/tiny_text", "environments/skill_tree")
    expected = command(settings, tmp_path / "command", *fragments, "teachers/skill_tree_procedural")
    capfd.readouterr()
    env = dataenvgym.make(**small, run_dir=tmp_path / "loop")
    assert isinstance(env, SkillTreeEnvironment) and env.run_dir == tmp_path / "loop"
    taught(env, MasteryPolicy(env.task), ProceduralEngine(env.task))
    made = comparable(tmp_path / "loop")
    assert made.keys() == expected.keys()
    # Who teaches is not known to make(): the configuration and the name in the summary are another.
    assert {name for name in made if made[name] != expected[name]} == {"config.yaml", "summary.json"}
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("loop", "command")]
    loop, said = ({key: row[key] for key in row if key not in ("seconds", "teacher")} for row in summaries)
    assert loop == said and summaries[0]["teacher"] == "python"
    assert len(env.history) == 3
    assert capfd.readouterr() == ("", "")
    assert main(["report", str(tmp_path / "loop")]) == 0
    with pytest.raises(ConfigurationError, match="close"):
        env.reset()
    assert main(["episode", "--config", str(tmp_path / "loop/config.yaml")]) == 2
    assert "objects in Python" in capfd.readouterr().err


def test_how_a_run_ends(small, tmp_path):
    def status(name):
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        return summary["status"], summary.get("stopped"), summary.get("error")

    with dataenvgym.make(**small, run_dir=tmp_path / "early") as env:
        env.reset()
    assert status("early") == ("finished", "closed", None) and (tmp_path / "early/report.html").is_file()
    dataenvgym.make(**small, run_dir=tmp_path / "unused").close()
    assert status("unused") == ("failed", None, "closed before the first observation")
    with pytest.raises(ZeroDivisionError), dataenvgym.make(**small, run_dir=tmp_path / "broken") as env:
        env.reset()
        env.step(1 / 0)
    assert status("broken") == ("failed", None, None) and not (tmp_path / "broken/report.html").exists()
    with pytest.raises(KeyboardInterrupt), dataenvgym.make(**small, run_dir=tmp_path / "stopped") as env:
        env.reset()
        raise KeyboardInterrupt
    assert status("stopped")[0] == "running"
    with pytest.raises(RunDirectoryError, match="interrupted"):
        dataenvgym.make(**small, run_dir=tmp_path / "stopped")
    env = dataenvgym.make(**small, run_dir=tmp_path / "stopped", resume=True)
    taught(env, MasteryPolicy(env.task), ProceduralEngine(env.task))
    assert status("stopped") == ("finished", None, None)
    with pytest.raises(RunDirectoryError, match="finished"):
        dataenvgym.make(**small, run_dir=tmp_path / "stopped", resume=True)


def test_a_failed_run_is_resumed_from_python(small, tmp_path):
    given = {**small, "engine": "ProceduralEngine", "run_dir": tmp_path / "run"}
    with pytest.raises(ConfigurationError, match="broken"):
        dataenvgym.run([], policy=Broken, **given)
    assert json.loads((tmp_path / "run/summary.json").read_text())["error"] == "the policy is broken"
    with pytest.raises(RunDirectoryError, match="another configuration"):
        dataenvgym.run([], policy=Even, resume=True, **given)


def test_parts_as_classes_and_objects(small, settings, tmp_path):
    kept = {name: settings[name] for name in ("trainer.max_epochs",)}
    from lightning_modules import CausalLMStudent

    task = ProceduralMathTask(val_size=54, test_size=54)
    student = CausalLMStudent(settings["model.init_args.model_name_or_path"], max_new_tokens=4)
    with dataenvgym.make(
        lambda task, loop, recorder: SkillTreeEnvironment(task, loop, recorder, Budget(max_steps=1)),
        task=task, student=student, settings=kept, run_dir=tmp_path / "objects",
    ) as env:  # fmt: skip
        assert env.task is task and not env.reset().last
    with pytest.raises(ConfigurationError, match="how long a step trains"):
        dataenvgym.make(SkillTreeEnvironment, task=task, student=student, max_steps=1)
    run = dataenvgym.run(
        ["tasks/math_procedural", "students/tiny_text", "environments/open_ended"],
        policy=Even(task), engine={"class_path": "teachers.engines.WeakProceduralEngine"}, max_records=20, max_steps=1,
        settings=settings, run_dir=tmp_path / "run",
    )  # fmt: skip
    assert run.summary["teacher"] == "Even" and run.summary["records"] > 0
    policy = run.config["teacher"]["init_args"]["policy"]
    assert policy == {"class_path": f"{__name__}.Even", "made_in_python": "an object"}
    with pytest.raises(RunDirectoryError, match="task was given as an object"):
        dataenvgym.make(**{**small, "task": task, "settings": kept}, resume=True, run_dir=tmp_path / "run")


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"task": "maths"}, ConfigurationError, "math_procedural"),
        ({"student": "tiny"}, ConfigurationError, "tiny_text"),
        ({"environment": "forest"}, ConfigurationError, "skill_tree"),
        ({"environment": "no/such.yaml"}, MissingFileError, "quickstart"),
        ({"task": "tasks.math.NoSuchTask"}, ConfigurationError, "NoSuchTask"),
        ({"settings": {"trainer.max_epoch": 1}}, ConfigurationError, "max_epoch"),
        ({"settings": {"trainer.default_root_dir": "sk-proj-9f2Lq7Zx0cVb4Nn81kTtY5"}}, ConfigurationError, "API key"),
        ({"max_records": 0}, ConfigurationError, "max_records"),
        ({"run_dir": ""}, RunDirectoryError, "run directory"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(small, given, kind, said):
    with pytest.raises(kind) as caught:
        dataenvgym.make(**{**small, **given})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_cannot_go_on_with_a_class_of_a_script(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("teacher: {init_args: {policy: {class_path: __main__.Mine}}}\n")
    assert main(["episode", "--config", "quickstart", "--config", str(tmp_path / "config.yaml"), "--resume"]) == 2
    assert "names Mine, a class of a script" in capsys.readouterr().err


def test_unknown_names_of_a_run():
    for given in ({"policy": "Mastery"}, {"engine": "Procedural"}):
        with pytest.raises(ConfigurationError, match=r"MasteryPolicy|ProceduralEngine"):
            dataenvgym.run("quickstart", **given)
    with pytest.raises(MissingFileError, match="quickstart, tasks/"):
        dataenvgym.run("quickstrat")
    with pytest.raises(DataEnvGymError):
        dataenvgym.load("no/such/run")


def test_a_process_stays_as_it_was(small, settings):
    import numpy
    import torch

    def state():
        loggers = ("lightning.pytorch", "lightning.fabric", "huggingface_hub", "transformers.tokenization_utils_base")
        return (
            dict(os.environ), list(warnings.filters), [logging.getLogger(name).level for name in loggers],
            random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist(), os.getcwd(), sys.argv,
        )  # fmt: skip

    async def notebook():
        with dataenvgym.make(**small) as env:
            env.reset()

    before = state()
    asyncio.run(notebook())
    dataenvgym.run("quickstart", policy=Even, max_records=20, max_steps=1, settings=settings)
    assert [left == right for left, right in zip(before, state(), strict=True)] == [True] * len(before)


def python(code, folder, *paths):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, paths), str(ROOT)])}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True)


def test_the_import_is_cheap(tmp_path):
    heavy = "{'torch', 'lightning', 'transformers', 'jsonargparse', 'pandas'}"
    done = python(f"import dataenvgym, sys; print(sorted({heavy} & set(sys.modules)))", tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_foreign_package_of_the_same_name_is_named(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").touch()
    done = python("import dataenvgym", ROOT / "docs", tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("ImportError: ")
    assert str(ROOT) in last and str(tmp_path / "tasks") in last


def told(capsys, *words):
    assert main([*words]) == 0
    return capsys.readouterr().out


def test_names_of_all_kinds(capsys):
    everything = told(capsys, "list")
    for name in ("math_procedural", "tiny_text", "skill_tree", "no_state_llm", "MasteryPolicy", "ProceduralEngine"):
        assert f"  {name} " in everything
    lines = [line.split() for line in told(capsys, "list", "teachers").splitlines() if line.startswith("  ")]
    needs = {line[0]: line[1] for line in lines}
    assert needs["open_ended_llm"] == "key" and needs["selection"] == "Writes"
    assert "GPU" in told(capsys, "list", "students")
    assert "relevance-v1" in told(capsys, "list", "challenges")
    assert told(capsys, "--version").startswith("dataenvgym ")
    assert main(["list", "task"]) == 2
    assert "tasks, students" in capsys.readouterr().err


def test_classes_behind_the_help_of_a_block(capsys):
    assert "tasks.math.MATHTask" in told(capsys, "episode", "--task.help")
    assert "environments.OpenEndedEnvironment" in told(capsys, "episode", "--environment.help")
    teacher = told(capsys, "episode", "--teacher.help")
    assert "teachers.policies.MasteryPolicy" in teacher and "teachers.engines.LLMEngine" in teacher
    with pytest.raises(SystemExit):
        main(["episode", "--task.help", "tasks.math.ProceduralMathTask"])
    assert "val_size" in capsys.readouterr().out
