"""The command line: ``dataenvgym episode | fit | validate | test | predict | report | leaderboard | export | …``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from tasks.errors import DataEnvGymError, causes

# Before torch is imported by anyone: idle OpenMP threads otherwise spin against the busy ones (up to 30 times slower).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # Lightning's calls, which users cannot change

USAGE = """\
usage: dataenvgym COMMAND [options]        (dataenvgym COMMAND --help explains the options)

The closed loop:
  episode    a teacher writes data, the student is trained and evaluated on it, step by step
  report     one self-contained report.html for one or several run directories
  leaderboard            teachers ranked over many runs, with intervals, costs and floors
  export     the accepted records of a run as a Hugging Face dataset, in a folder or on the hub

Teachers that are language models (OPENAI_API_KEY, or any OpenAI-compatible server by OPENAI_BASE_URL):
  episode … --dry_run    the calls, tokens and dollars to expect, before anything is paid
  discover-skills        skills found by a chat model, frozen to a file that runs share

Stock LightningCLI on a student and a records file:
  fit        train a student on records           validate   evaluate on the validation instances
  test       evaluate on the test instances       predict    answer the instances

Start here:
  dataenvgym episode --config configs/quickstart.yaml
  dataenvgym episode --config configs/tasks/math_procedural.yaml --config configs/students/tiny_text.yaml \\
      --config configs/environments/skill_tree.yaml --config configs/teachers/skill_tree_procedural.yaml \\
      --environment.budget.max_records 1000 --seed_everything 7
  dataenvgym fit --config configs/tasks/math_procedural.yaml --config configs/students/tiny_text.yaml \\
      --data.records runs/quickstart/step_01/records.jsonl
"""

_TRAINING = ("fit", "validate", "test", "predict")
_EXIT_USER_ERROR = 2


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        args: The words after ``dataenvgym``; those of the process if None.

    Returns:
        The exit status: 0 if all went well, 2 if the user has to change something (one line on stderr says what).
    """
    words = list(sys.argv[1:] if args is None else args)
    command = words[0] if words else "--help"
    if command in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    try:
        return _run(command, words)
    except KeyboardInterrupt:
        if command == "episode":
            return _complain("Interrupted. Finished steps are kept: the same command with --resume continues.")
        return _complain("Interrupted. What was written so far is kept.")
    except Exception as error:
        # jsonargparse wraps what a constructor raises, sometimes twice: the user's mistake is at the bottom.
        if (known := _user_error(error)) is None:
            raise
        return _complain(known)


def console() -> None:
    """The console command; classes of the present folder can be named in YAML (``class_path: my_teacher.MyPolicy``)."""
    sys.path.append(os.getcwd())
    sys.exit(main())


def _run(command: str, words: list[str]) -> int:
    from environments.pasted_keys import refuse_pasted_keys

    refuse_pasted_keys(words)
    if command == "report":
        from environments.report_cli import report

        return report(words[1:])
    if command == "leaderboard":
        from environments.leaderboard_cli import leaderboard

        return leaderboard(words[1:])
    if command == "export":
        from environments.export_cli import export

        return export(words[1:])
    if command not in ("episode", "discover-skills", *_TRAINING):
        known = ", ".join(("episode", *_TRAINING, "report", "leaderboard", "export", "discover-skills"))
        return _complain(f"There is no command {command!r}; the commands are {known}.")

    from jsonargparse import ArgumentError

    from environments.lightning_cli import run_episode_command, run_training_command

    try:
        if command == "discover-skills":
            from environments.discover_cli import discover_skills_command

            return discover_skills_command(words[1:])
        return run_episode_command(words[1:]) if command == "episode" else run_training_command(words)
    except ArgumentError as error:
        return _complain(f"{one_line(str(error))} (dataenvgym {command} --help lists the options)")


# Lines of a parser's message that say how it validates and not what is wrong.
_CHATTER = re.compile(
    r"(Does not validate against|Subtypes:|Errors:|Expected a <class 'NoneType'>|Expected a path but|"
    r"Given value type:|Given value: (Namespace|NestedArg))"
)


def one_line(message: str) -> str:
    """A parser's message of many lines in one: the key, what was wrong with it, and the value."""
    lines = [line.strip(" -") for line in message.splitlines()]
    lines = [re.sub(r"^Type \S.* expects a .* callable class: ", "", line) for line in lines]
    kept = [line for line in lines if line and not _CHATTER.match(line)] or lines
    return re.sub(r"\s+", " ", "; ".join(kept)).replace(":;", ":")[:600]


def _user_error(error: BaseException | None) -> str | None:
    """The message of the first error in a chain of causes that a user can mend; None if it is a bug of ours."""
    for cause in causes(error):
        if isinstance(cause, DataEnvGymError):
            return str(cause)
        if isinstance(cause, OSError) and cause.strerror is not None:
            return f"{cause.strerror}: {cause.filename or 'writing failed'}; free space or check the path."
    return None


def _complain(message: str) -> int:
    from teachers.chat.secrets import conceal

    print(f"dataenvgym: error: {conceal(message)}", file=sys.stderr)
    return _EXIT_USER_ERROR


if __name__ == "__main__":
    console()
