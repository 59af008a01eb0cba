"""The Python API: the loop by hand, a whole run, and a finished run as rows.

env = dataenvgym.make("skill_tree", task="math_procedural", student="tiny_text", max_records=600, max_steps=4)
run = dataenvgym.run("quickstart", policy=MyPolicy, seed=3)
run = dataenvgym.load("runs/quickstart")

Nothing is printed, and the process stays as it was: random generators, warning filters, log levels and environment
variables are put back after every call. What stays is what importing torch and Lightning does once.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataenvgym import catalogue
from tasks.errors import ConfigurationError

if TYPE_CHECKING:  # torch is imported when something is built, and not before
    from dataenvgym.cli.episode import EpisodeCLI
    from dataenvgym.reading import Run
    from environments import Environment
    from teachers.chat.calls import Calls

# What a part may be given as: a name, the path of a class, a class, an object, or a class with its settings.
Part = Any
_KINDS = {"task": "tasks", "student": "students", "environment": "environments", "policy": "teachers"}
_OPTIONS = {
    "task": "task",
    "student": "model",
    "environment": "environment",
    "policy": "teacher.init_args.policy",
    "engine": "teacher.init_args.engine",
}
# What the parser is shown where it needs a class, before the object takes its place.
_IN_ITS_PLACE = {
    "student": ["--model", "lightning_modules.CausalLMStudent", "--model.init_args.model_name_or_path", "tiny_text"],
    "policy": ["--teacher.init_args.policy", "teachers.policies.NoStatePolicy"],
    "engine": ["--teacher.init_args.engine", "teachers.engines.ProceduralEngine"],
}


def make(
    environment: Part,
    task: Part = None,
    student: Part = None,
    *,
    max_records: int | None = None,
    max_steps: int | None = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    teacher: str = "python",
    calls: Calls | None = None,
    verbose: bool = False,
) -> Environment:
    """An environment with its own student and run directory, for a loop of one's own.

    ``reset()`` evaluates the untouched student, ``plan(action)`` fits an action into the budget, ``step(records)``
    trains and evaluates, and ``close()`` ends the run: its directory is then ``finished``, with a report. A run that is
    closed before its last observation is finished as well, and says ``stopped: closed``; one that is closed before
    step 0 was measured has ``failed``. As a context manager (``with make(...) as env``) it closes itself, and an
    exception leaves the run ``failed``; Ctrl-C leaves it as it is, to be resumed.

    Args:
        environment: A name of ``configs/environments/`` ("skill_tree"), a whole configuration ("quickstart", or a
            YAML file), a list of them, the path of a class, a class, or a function of what an environment is made from.
        task: A name of ``configs/tasks/``, a YAML file, the path of a class, a class, an object, or
            ``{"class_path": …, "init_args": {…}}``.
        student: The same, of ``configs/students/``, which also say how it is trained.
        max_records: Most accepted records of the episode; None leaves the configuration's.
        max_steps: Most steps; None leaves the configuration's.
        seed: The run's seed.
        run_dir: Where the run is written; a new temporary folder, which stays, if None.
        resume: Continue the interrupted run of ``run_dir``; reset() then gives its last observation.
        settings: Anything else, by the names of the command's options: ``{"trainer.max_epochs": 3}``.
        teacher: What reports call the one who teaches.
        calls: The calls to a chat model of the teacher's parts (``Teacher.calls``), to be kept and counted in the run.
        verbose: Show what the command shows.

    Raises:
        DataEnvGymError: Whatever the settings can cause, each in one line.
    """
    parts = {"environment": environment, "task": task, "student": student}
    words, objects = _given([], parts, max_records, max_steps, seed, settings)
    episode = composed(words, objects, teacher, calls)
    from dataenvgym.running import open_run

    return open_run(episode, _place(run_dir), resume, verbose)[0]


def run(
    config: str | Path | Sequence[str | Path],
    *,
    policy: Part = None,
    engine: Part = None,
    task: Part = None,
    student: Part = None,
    environment: Part = None,
    max_records: int | None = None,
    max_steps: int | None = None,
    seed: int | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    verbose: bool = False,
) -> Run:
    """What ``dataenvgym episode`` does, with the same files; returns the finished run.

    Args:
        config: A name of ``configs/`` ("quickstart"), a YAML file, or a list of them that compose
            (``["tasks/math_procedural", "students/tiny_text", …]``).
        policy: The teacher's policy: a name of ``configs/teachers/``, the path or name of a class, a class, an object,
            or ``{"class_path": …, "init_args": {…}}``. None leaves the configuration's.
        engine: The teacher's engine: the same, without catalogue.
        task: As in make(); None leaves the configuration's.
        student: As in make(); None leaves the configuration's.
        environment: As in make(); None leaves the configuration's.
        max_records: Most accepted records of the episode; None leaves the configuration's.
        max_steps: Most steps; None leaves the configuration's.
        seed: The run's seed; None leaves the configuration's.
        run_dir: Where the run is written; a new temporary folder, which stays, if None. A finished run of the same
            configuration there is read and not repeated.
        resume: Continue the run of ``run_dir`` if it was interrupted.
        settings: Anything else, by the names of the command's options: ``{"trainer.max_epochs": 3}``.
        verbose: Show what the command shows.

    Raises:
        DataEnvGymError: Whatever the settings and the episode can cause, each in one line.
    """
    configs = [config] if isinstance(config, str | Path) else config
    parts = {"environment": environment, "task": task, "student": student, "policy": policy, "engine": engine}
    words, objects = _given(configs, parts, max_records, max_steps, seed, settings)
    episode = composed(words, objects)
    from dataenvgym.running import run_in_directory

    folder = _place(episode.config.run_dir if run_dir is None else run_dir)
    run_in_directory(episode, folder, resume, verbose)
    return load(folder)


def load(run_dir: str | Path) -> Run:
    """A finished or running run directory as typed rows.

    Args:
        run_dir: What ``dataenvgym episode`` or this API wrote.

    Raises:
        MissingFileError: It is no run directory.
        RecordError: A file in it is damaged.
    """
    from dataenvgym.reading import read_run

    return read_run(Path(run_dir))


def composed(
    words: Sequence[str], objects: Mapping[str, Any], taught_by: str | None = None, calls: Calls | None = None
) -> EpisodeCLI:
    """The parts of an episode, composed as the command does it."""
    from dataenvgym.cli.configuration_files import read_words
    from environments.quiet import contained

    words = read_words(words)
    with contained():
        from dataenvgym.cli.episode import EpisodeCLI

        episode = EpisodeCLI(words, objects, taught_by, calls)
    trainer = episode.config.trainer
    if trainer.max_epochs is None and trainer.max_steps == -1 and trainer.max_time is None:
        raise ConfigurationError(
            "Nothing says how long a step trains: name a student, or give settings={'trainer.max_epochs': 10}."
        )
    return episode


def _place(run_dir: str | Path | None) -> Path:
    from environments.run.directory import RunDir

    return RunDir(tempfile.mkdtemp(prefix="dataenvgym-") if run_dir is None else run_dir).path


def _given(
    configs: Sequence[str | Path],
    parts: Mapping[str, Part],
    max_records: int | None,
    max_steps: int | None,
    seed: int | None,
    settings: Mapping[str, Any] | None,
) -> tuple[list[str], dict[str, Any]]:
    """The words of ``dataenvgym episode`` for these settings, and the objects that no word can name, by option."""
    words: list[str] = []
    objects: dict[str, Any] = {}
    for config in configs:
        words += ["--config", str(catalogue.find(str(config)))]
    for part, given in parts.items():
        for one in given if isinstance(given, list | tuple) else [given]:
            said = [] if one is None else _words(part, one)
            if said is None:
                objects[_OPTIONS[part]] = one
                said = _IN_ITS_PLACE.get(part, [])
            if part == "student" and one is not None and said[:1] != ["--config"]:
                words += ["--data", "datamodules.StudentDataModule"]  # which a fragment names itself
            words += said
    numbers = {
        "environment.budget.max_records": max_records,
        "environment.budget.max_steps": max_steps,
        "seed_everything": seed,
    }
    for option, value in {**{name: n for name, n in numbers.items() if n is not None}, **(settings or {})}.items():
        words += [f"--{option}", value if isinstance(value, str) else json.dumps(value)]
    return words, objects


def _words(part: str, given: Part) -> list[str] | None:
    """The words that name a part; None if only the object itself will do."""
    option, kind = f"--{_OPTIONS[part]}", _KINDS.get(part)
    if isinstance(given, Mapping):
        return [option, json.dumps(given)]
    if isinstance(given, type) and "<locals>" not in given.__qualname__:
        return [option, f"{given.__module__}.{given.__qualname__}"]
    if not isinstance(given, str | Path):
        return None
    name = str(given)
    if kind in catalogue.FRAGMENTS and (Path(name).is_file() or catalogue.shipped(f"{kind}/{name}")):
        return ["--config", str(catalogue.find(name, kind))]
    if "/" in name or name.endswith((".yaml", ".yml")) or (part == "environment" and catalogue.shipped(name)):
        return ["--config", str(catalogue.find(name))]
    if "." in name:
        return [option, name]
    package = {"policy": "policies", "engine": "engines"}.get(part, "")
    known = [*(catalogue.names(kind) if kind else ()), *(catalogue.names(package) if package else ())]
    if package and name in known:
        return [option, f"teachers.{package}.{name}"]
    raise ConfigurationError(f"There is no {part} {name!r}; give a class, a YAML file or one of {', '.join(known)}.")
