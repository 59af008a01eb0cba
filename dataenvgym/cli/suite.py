"""``dataenvgym suite POLICY``: a policy's runs on the challenges, and its place among the results that ship."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataenvgym.cli.parser import CommandParser
from tasks.errors import ConfigurationError, MissingFileError, failing_as


def suite(words: Sequence[str]) -> int:
    """Runs one policy on the challenges, writes its results and a page, and says what it is good and bad at."""
    parser = CommandParser(
        prog="dataenvgym suite",
        description="Judges a teacher's policy by the teacher suite: it is run on challenges that each ask one "
        "ability, with several seeds, against results of a dozen policies that ship with this package. Its score is "
        "the share of the gap from a random teacher to the best static one (the oracle) that it closes. The same "
        "command continues after a kill, and runs only what is missing.",
    )
    parser.add_argument("policy", nargs="?", help="path of a class (my_module.MyPolicy), or the name of a shipped one")
    parser.add_argument("--settings", help="the class's settings, as JSON: '{\"floor\": 0.2}'")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="a YAML file with a teacher block: policy, engine")
    parser.add_argument("--name", help="what to call it (default: the class's name)")
    parser.add_argument("--challenges", nargs="+", metavar="NAME", help="which (default: all that have an oracle)")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds (default: 5)")
    parser.add_argument("--first_seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, of one thread each (default: 2)")
    parser.add_argument("--launcher", choices=("local", "ray"), default="local", help="ray: at RAY_ADDRESS, or here")
    parser.add_argument("--out", type=Path, default=Path("runs/suite"), help="folder of the runs (default: runs/suite)")
    parser.add_argument(
        "--plan", type=float, metavar="POINTS", help="only say how many seeds show a difference of so many points"
    )
    arguments = parser.parse_args(words)

    from dataenvgym.suite.challenges import challenge
    from dataenvgym.suite.page import planned, told, write_page
    from dataenvgym.suite.results import write_results
    from dataenvgym.suite.runner import Entry, run_entries
    from dataenvgym.suite.shipped import baselines, oracles
    from dataenvgym.suite.standing import Table

    chosen = [challenge(name) for name in arguments.challenges or sorted(oracles())]
    if not chosen:
        raise MissingFileError("No challenge has an oracle yet: name some by --challenges.")
    shipped = baselines(chosen)
    if arguments.plan is not None:
        print(planned(Table(shipped), arguments.plan))
        return 0
    policy, name = _policy(arguments.policy, arguments.settings, arguments.teacher, arguments.name)
    if arguments.seeds < 1:
        raise ConfigurationError(f"--seeds is {arguments.seeds}: it must be at least 1.")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    entries = [Entry(one, name, policy, seed) for one in chosen for seed in seeds]
    results, failures = run_entries(entries, arguments.out, arguments.jobs, arguments.launcher)
    kept = arguments.out / f"{name}.jsonl.gz"
    write_results(kept, results)
    table = Table([*(one for one in shipped if one.policy != name), *results])
    page = write_page(table, name, arguments.out / f"{name}.md")
    print(told(table, name))
    print(f"results   {kept}\npage      {page}")
    for folder, why in failures.items():
        print(f"failed    {folder}: {why}; the same command tries again", file=sys.stderr)
    return 1 if failures else 0


def _policy(
    given: str | None, settings: str | None, teacher: Path | None, name: str | None
) -> tuple[dict[str, Any], str]:
    """The policy as a configuration, and its name."""
    from dataenvgym import catalogue

    if teacher is not None:
        raise ConfigurationError("--teacher FILE judges policy and engine together, which is not supported yet.")
    if given is None:
        raise ConfigurationError("Name a policy: my_module.MyPolicy, or one of `dataenvgym list policies`.")
    path = f"teachers.policies.{given}" if given in catalogue.names("policies") else given
    if "." not in path:
        raise ConfigurationError(f"There is no policy {given!r}: give the path of a class, my_module.{given}.")
    with failing_as(ConfigurationError, f"--settings is {settings!r}, no JSON object", "mend it"):
        values = json.loads(settings or "{}")
        if not isinstance(values, dict):
            raise ValueError("no object")
    return {"class_path": path, "init_args": values}, name or path.rpartition(".")[2]
