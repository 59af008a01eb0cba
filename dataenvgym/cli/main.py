"""The command line: ``dataenvgym episode | fit | validate | test | predict | report | leaderboard | export | …``."""

from __future__ import annotations

import os
import select
import sys
import traceback
from collections.abc import Sequence

from tasks.errors import ConfigurationError, DataEnvGymError, causes, one_line, reason
from tasks.records import is_text

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
        The exit status: 0 if all went well, 2 if the user has to change something, 1 if something else is out of order,
        such as an endpoint (``DataEnvGymError.exit_code``; one line on stderr says what) or this program.
    """
    words = list(sys.argv[1:] if args is None else args)
    command = words[0] if words else "--help"
    try:
        check_arguments(words)
        status = _run(command, words)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        if command == "episode":
            return _complain("Interrupted. Finished steps are kept: the same command with --resume continues.")
        return _complain("Interrupted. What was written so far is kept.")
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            return 0
        if (known := _user_error(error)) is not None:
            if os.environ.get("DATAENVGYM_TRACEBACK"):
                traceback.print_exc()
            return _complain(*known)
        traceback.print_exc()
        return _complain("A bug, here or in a class of yours: if it is here, report it with the lines above.", 1)


def console() -> None:
    """The console command; classes of the present folder can be named in YAML (``class_path: my_teacher.MyPolicy``)."""
    sys.path.append(os.getcwd())
    sys.exit(main())


def _run(command: str, words: list[str]) -> int:
    from dataenvgym.cli.configuration_files import check_words
    from dataenvgym.cli.pasted_keys import refuse_pasted_keys

    check_words(words)
    refuse_pasted_keys(words)
    if command in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if command == "report":
        from dataenvgym.cli.report import report

        return report(words[1:])
    if command == "leaderboard":
        from dataenvgym.cli.leaderboard import leaderboard

        return leaderboard(words[1:])
    if command == "export":
        from dataenvgym.cli.export import export

        return export(words[1:])
    if command not in ("episode", "discover-skills", *_TRAINING):
        known = ", ".join(("episode", *_TRAINING, "report", "leaderboard", "export", "discover-skills"))
        return _complain(f"There is no command {command!r}; the commands are {known}.")

    if command == "discover-skills":
        from dataenvgym.cli.discover_skills import discover_skills_command

        return discover_skills_command(words[1:])
    from dataenvgym.cli.episode import run_episode_command, run_training_command

    return run_episode_command(words[1:]) if command == "episode" else run_training_command(words)


def check_arguments(words: Sequence[str]) -> None:
    """Whether every argument is text.

    Raises:
        ConfigurationError: One holds NUL, or bytes that are not UTF-8.
    """
    for word in words:
        if not is_text(word):
            raise ConfigurationError(f"The argument {word!r:.100} is no text in UTF-8: write it anew.")


def _user_error(error: BaseException) -> tuple[str, int] | None:
    """Message and exit status of the first error in a chain of causes that is no bug of ours; None if all are."""
    for cause in causes(error):
        if isinstance(cause, DataEnvGymError):
            return str(cause), cause.exit_code
        if isinstance(cause, OSError) and cause.strerror is not None:
            return f"{cause.strerror}: {cause.filename or 'writing failed'}; free space or check the path.", 2
        if isinstance(cause, MemoryError):
            return "The memory is full: choose a smaller student, batch or image.", 2
        if type(cause).__name__ == "MisconfigurationException":  # Lightning's own, for settings that do not fit
            return f"{reason(cause)}: change the trainer's settings.", 2
    return None


def _nobody_reads() -> bool:
    """Whether what reads our output has seen enough (`| head`); Python then is kept from saying so when it exits."""
    output = sys.stdout.fileno()
    poll = select.poll()
    poll.register(output, 0)  # errors are told unasked
    if not poll.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


def _complain(message: str, status: int = _EXIT_USER_ERROR) -> int:
    from teachers.chat.secrets import conceal

    print(f"dataenvgym: error: {one_line(conceal(message))}", file=sys.stderr)
    return status
