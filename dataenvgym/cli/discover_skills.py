"""``dataenvgym discover-skills``: finds the skills of a task with a chat model and freezes them in a file.

    dataenvgym discover-skills --config configs/tasks/<task>.yaml --config configs/teachers/skill_tree_llm.yaml \
        --out skills/<task>.json [--num_categories N] [--overwrite]

Runs that name the file (``skills: {class_path: environments.skills.DiscoveredSkills, init_args: {path: …}}``) share the
same skills, and need no chat model for them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from environments.refusals import refused_options
from environments.skills.discovery import check_number, discover_skills
from environments.skills.frozen import write_skills
from tasks.base import Task
from tasks.errors import ConfigurationError, RunDirectoryError
from teachers.teacher import Teacher

_COMMAND = "dataenvgym discover-skills"

# Other blocks of an episode's fragments, which a discovery does not use.
_UNUSED_BLOCKS = ("model", "data", "trainer", "environment")
_UNUSED_VALUES = ("run_dir", "resume", "dry_run")


def discover_skills_command(words: Sequence[str]) -> int:
    """Discovers and freezes the skills of a task; what a chat model answered before a failure stays beside the file.

    Raises:
        RunDirectoryError: The file exists, and ``--overwrite`` is not given.
        ConfigurationError: The teacher has no chat model, or a setting cannot work.
        DataEnvGymError: Whatever the chat model's end brings; what was answered is kept beside the file.
    """
    parser = _parser()
    with refused_options(_COMMAND):
        config = parser.parse_args(list(words))
    out = Path(config.out)
    if out.exists() and not config.overwrite:
        raise RunDirectoryError(f"{out} exists already: name another --out, or replace it with --overwrite.")
    check_number(config.num_categories)
    for name in (*_UNUSED_BLOCKS, *_UNUSED_VALUES, "seed_everything"):
        config.pop(name, None)
    with refused_options(_COMMAND, "The parts of this configuration fail"):
        parts = parser.instantiate(config)
    task, calls = parts.task, parts.teacher.calls
    if calls is None:
        raise ConfigurationError(
            "The teacher has no chat model to discover skills with: set teacher.init_args.chat "
            "(see configs/teachers/*_llm.yaml)."
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    journal = out.with_name(f"{out.name}.calls.jsonl")
    with calls.recording(journal):
        found = discover_skills(task, calls, config.num_categories)
        cost = calls.cost()
    write_skills(out, found)
    sizes, usd = found.sizes, "dollars unknown (no price)" if cost["usd"] is None else f"${cost['usd']:.4f}"
    width = max(map(len, sizes))
    for name, size in sizes.items():
        print(f"{name:<{width}}  {size:>6}")
    print(f"{len(sizes)} skills of {found.fingerprint.instances} validation instances of {found.fingerprint.task}")
    print("; ".join(f"{name.replace('_', ' ')} {n}" for name, n in found.counters.items()))
    print(f"cost         {usd}, {cost['tokens']} tokens, {cost['calls']} calls, kept in {journal}")
    print(f"skills       {out}")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=_COMMAND,
        description="Discovers the skills of a task with the teacher's chat model and freezes them in a file.",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("--config", action="config", help="A YAML fragment; may be given several times.")
    parser.add_subclass_arguments(Task, "task", required=True, help="Whose validation instances are sorted.")
    parser.add_subclass_arguments(Teacher, "teacher", required=True, help="Its chat model, journal and cap are used.")
    parser.link_arguments("task", "teacher.init_args.task", apply_on="instantiate")
    parser.add_argument("--out", type=str, required=True, help="The file to write; <out>.calls.jsonl keeps the calls.")
    parser.add_argument(
        "--num_categories", type=int | None, default=None, help="How many skills (default: the model's choice)."
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace the file if it exists.")
    parser.add_argument("--seed_everything", type=bool | int, default=0, help="Not used here.")
    for name in _UNUSED_BLOCKS:
        parser.add_argument(f"--{name}", type=dict[str, Any] | None, default=None, help="Not used here.")
    for name in _UNUSED_VALUES:
        parser.add_argument(f"--{name}", type=Any, default=None, help="Not used here.")
    return parser
