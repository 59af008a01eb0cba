"""The command line: which command runs, and the one place where what a user can cause becomes one line."""

import importlib
import os
import select
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from environments.quiet import VARIABLES
from tasks.errors import ConfigurationError, DataEnvGymError, causes, one_line, reason

for _name, _value in VARIABLES.items():  # before torch is imported by anyone
    os.environ.setdefault(_name, _value)

USAGE = """\
usage: dataenvgym COMMAND [options]        (dataenvgym COMMAND --help explains the options)

The closed loop:
  episode    a teacher writes data, the student is trained and evaluated on it, step by step
  report     one self-contained report.html for one or several run directories
  leaderboard            teachers ranked over many runs, with intervals, costs and floors
  export     the accepted records of a run as a Hugging Face dataset, in a folder or on the hub

The teacher suite:
  suite      a policy of yours on challenges that each ask one ability, against a dozen policies that ship

Teachers that are language models (OPENAI_API_KEY, or any OpenAI-compatible server by OPENAI_BASE_URL):
  episode … --dry_run    the calls, tokens and dollars to expect, before anything is paid
  discover-skills        skills found by a chat model, frozen to a file that runs share

Stock LightningCLI on a student and a records file:
  fit        train a student on records           validate   evaluate on the validation instances
  test       evaluate on the test instances       predict    answer the instances

What there is:
  list       tasks, students, environments, teachers, policies and engines by name; episode --task.help lists classes
  --version

Start here (names of configurations work from any folder; in Python: dataenvgym.run("quickstart")):
  dataenvgym episode --config quickstart
  dataenvgym episode --config tasks/math_procedural --config students/tiny_text \\
      --config environments/skill_tree --config teachers/skill_tree_procedural \\
      --environment.budget.max_records 1000 --seed_everything 7
  dataenvgym fit --config tasks/math_procedural --config students/tiny_text \\
      --data.records runs/quickstart/step_01/records.jsonl
"""

# The module under dataenvgym.cli and its function; imported when it is asked for, so that --help needs no torch.
_COMMANDS = {
    "episode": "episode:run_episode_command",
    **dict.fromkeys(("fit", "validate", "test", "predict"), "training:run_training_command"),
    "report": "report:report",
    "leaderboard": "leaderboard:leaderboard",
    "export": "export:export",
    "discover-skills": "discover_skills:discover_skills_command",
    "suite": "suite:suite",
    "list": "list:list_names",
}
_EXIT_USER_ERROR = 2


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command, by default with the words of the process; returns the exit status.

    It is 0 if all went well, 2 if the user has to change something, and 1 if something else is out of order, such as an
    endpoint (``DataEnvGymError.exit_code``; one line on stderr says what) or this program.
    """
    words = list(sys.argv[1:] if args is None else args)
    try:
        status = _run(words or ["--help"])
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        if words[:1] == ["episode"]:
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


def _run(words: list[str]) -> int:
    from dataenvgym.cli.configuration_files import read_words

    words = read_words(words)
    command = words[0]
    if command in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if command == "--version":
        try:
            print(f"dataenvgym {version('dataenvgym')}")
        except PackageNotFoundError:
            print("dataenvgym, from a checkout that is not installed")
        return 0
    if command not in _COMMANDS:
        raise ConfigurationError(f"There is no command {command!r}; the commands are {', '.join(_COMMANDS)}.")
    if words[-1].endswith(".help"):
        from dataenvgym.cli.list import list_classes

        if list_classes(words):
            return 0
    module, _, function = _COMMANDS[command].partition(":")
    run = getattr(importlib.import_module(f"dataenvgym.cli.{module}"), function)
    return int(run(words if module == "training" else words[1:]))


def _user_error(error: BaseException) -> tuple[str, int] | None:
    """Message and exit status of the first error in a chain of causes that is no bug of ours."""
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
    """Whether the reader of our output has left (`| head`); Python is then kept from complaining when it exits."""
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
