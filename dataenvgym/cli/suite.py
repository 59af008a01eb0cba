"""``dataenvgym suite POLICY``: a policy's runs on the challenges, and its place among the results that ship."""

import copy
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataenvgym.cli.parser import CommandParser
from tasks.errors import ConfigurationError, MissingFileError, check_range, failing_as, one_line

if TYPE_CHECKING:  # imported where they are used, so that --help needs no torch
    from dataenvgym.suite.challenges import Challenge
    from dataenvgym.suite.results import Result
    from dataenvgym.suite.runner import Entry
    from tasks.base import ProceduralTask
    from teachers.teacher import Policy


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
    parser.add_argument(
        "--environment",
        choices=("open_ended", "skill_list", "skill_tree"),
        default="skill_list",
        help="what the teacher is shown and may order (default: skill_list); the yardsticks hold in all",
    )
    parser.add_argument("--name", help="what to call it (default: the class's name, and the environment's)")
    parser.add_argument("--challenges", nargs="+", metavar="NAME", help="which (default: all that have an oracle)")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds (default: 5)")
    parser.add_argument("--first_seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, of one thread each (default: 2)")
    parser.add_argument("--launcher", choices=("local", "ray"), default="local", help="ray: at RAY_ADDRESS, or here")
    parser.add_argument("--out", type=Path, default=Path("runs/suite"), help="folder of the runs (default: runs/suite)")
    parser.add_argument(
        "--plan", type=float, metavar="POINTS", help="only say how many seeds show a difference of so many points"
    )
    parser.add_argument("--dry_run", action="store_true", help="only say what would be run, and about how long")
    parser.add_argument(
        "--simulated",
        action="store_true",
        help="with simulated students, a second a run: for developing, to be confirmed without (docs/simulation.md)",
    )
    arguments = parser.parse_args(words)

    from dataenvgym.suite.canary import check_canary
    from dataenvgym.suite.challenges import challenge
    from dataenvgym.suite.fingerprints import check_fresh, fingerprint
    from dataenvgym.suite.fits import built
    from dataenvgym.suite.page import seeds_by_challenge
    from dataenvgym.suite.results import read_results, write_results
    from dataenvgym.suite.runner import Entry, forecast, run_entries
    from dataenvgym.suite.shipped import baselines, oracles, policies_for
    from dataenvgym.suite.standing import Table

    check_range("dataenvgym suite", seeds=arguments.seeds, jobs=arguments.jobs)
    check_range("dataenvgym suite", 0, first_seed=arguments.first_seed)
    check_range("dataenvgym suite", 0, open_ends=True, plan=arguments.plan)
    chosen = [challenge(name) for name in arguments.challenges or sorted(oracles())]
    if not chosen:
        raise MissingFileError("No challenge has an oracle yet: name some by --challenges.")
    shipped = baselines(chosen)
    check_fresh(chosen, shipped)
    if arguments.plan is not None:
        print(seeds_by_challenge(Table(shipped), arguments.plan))
        return 0
    if arguments.teacher is None:
        policy, name = _policy(arguments.policy, arguments.settings)
        said = ["--teacher.init_args.policy", json.dumps(policy)]
    else:
        policy, name = None, _teacher(arguments.teacher, arguments.policy, arguments.settings)
        said = ["--config", str(arguments.teacher)]
    if arguments.environment == "skill_list":
        arguments.environment = None  # the challenges' own
    name = arguments.name or (f"{name}_{arguments.environment}" if arguments.environment else name)
    if any(named == name for one in chosen for named in policies_for(one)):
        raise ConfigurationError(f"A shipped policy is called {name}: give this one another name by --name.")
    made = built(chosen[0], *said)  # a class that does not exist, or settings that do not fit, end here
    if arguments.teacher is None:
        _check_contract(name, made.teacher.policy, made.config_init["task"])
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    entries = [
        Entry(one, name, policy, seed, arguments.teacher, arguments.environment) for one in chosen for seed in seeds
    ]
    if arguments.simulated and (arguments.teacher is not None or arguments.launcher != "local"):
        raise ConfigurationError(
            "--simulated goes with a policy alone, run here: the laws are of the challenges' own engines. Leave "
            "--teacher and --launcher away."
        )
    if arguments.simulated:
        return _simulated(entries, name, arguments.out / "simulated", arguments.jobs, arguments.dry_run)
    if arguments.dry_run:
        print(forecast(entries, shipped, arguments.out, arguments.jobs))
        return 0
    for one in {one.world: one for one in chosen}.values():
        print(f"{one.name}: {check_canary(one)}", flush=True)

    results, failures = run_entries(entries, arguments.out, arguments.jobs, arguments.launcher)
    for folder, why in failures.items():
        print(f"failed    {folder}: {why}; the same command tries again", file=sys.stderr)
    if not results:
        return 1
    # Earlier commands may have run other challenges or seeds of the same policy: they stay in its file and on its page.
    path, of = arguments.out / f"{name}.jsonl.gz", entries[0]
    earlier = [
        one
        for one in (read_results(path) if path.is_file() else [])
        if (one.settings, one.code) == (of.settings, of.code)
        and one.fingerprint == fingerprint(challenge(one.challenge))
    ]
    kept = {(one.challenge, one.seed): one for one in (*earlier, *results)}
    write_results(path, kept.values())
    judged = [challenge(each) for each in sorted({one.challenge for one in kept.values()})]
    _tell([*baselines(judged), *kept.values()], judged, name, path)
    return 1 if failures else 0


def _simulated(entries: "Sequence[Entry]", name: str, out: Path, jobs: int, dry_run: bool) -> int:
    """The policy and the yardsticks with simulated students, where a law of the challenge's student ships."""
    from dataenvgym.suite.results import write_results
    from dataenvgym.suite.shipped import policies_for
    from dataenvgym.suite.simulated import law_of, simulate_all

    chosen = {entry.challenge.name: entry.challenge for entry in entries if law_of(entry.challenge) is not None}
    if without := sorted({entry.challenge.name for entry in entries} - set(chosen)):
        print(f"left out, since no law of their students ships: {', '.join(without)}", file=sys.stderr)
    if not chosen:
        raise ConfigurationError("No law of a simulated student ships for these challenges: run without --simulated.")
    asked = [entry for entry in entries if entry.challenge.name in chosen]
    seeds = sorted({entry.seed for entry in asked})
    for one in chosen.values():
        yardsticks = [named for named in policies_for(one).values() if named.kind == "yardstick"]
        asked += [named.on(one, seed) for named in yardsticks for seed in seeds]
    if dry_run:
        print(f"{len(asked)} runs of simulated students, {len(asked) // len(chosen)} on each challenge, about 1 s each")
        return 0
    results = simulate_all(sorted(asked, key=lambda entry: entry.challenge.name), jobs)
    path = out / f"{name}.jsonl.gz"
    write_results(path, [result for result in results if result.policy == name])
    print(
        "With simulated students, laws fitted to the real one's fits: what holds here is to be confirmed by real runs."
    )
    _tell(results, list(chosen.values()), name, path)
    return 0


def _tell(results: "Sequence[Result]", judged: "Sequence[Challenge]", name: str, path: Path) -> None:
    """Writes the page beside the results, and says what it says."""
    from dataenvgym.suite.page import text_summary, write_pages
    from dataenvgym.suite.shipped import policies_for
    from dataenvgym.suite.standing import Table

    table = Table(results, own=name)
    kinds = {each: named.kind for one in judged for each, named in policies_for(one).items()}
    page, _ = write_pages(table, name, kinds, path.parent)
    print(text_summary(table, name))
    print(f"results   {path}\npage      {page}")


def _check_contract(name: str, policy: "Policy", task: "ProceduralTask") -> None:
    """Refuses a policy whose results nobody could make again.

    Raises:
        ConfigurationError: It keeps state between calls, changes what it is shown, or orders what is not allowed.
    """
    from teachers.testing import check_policy

    try:
        check_policy(lambda task: copy.deepcopy(policy), task, everywhere=False)
    except AssertionError as error:
        raise ConfigurationError(
            f"{name} does not keep to what a policy may do: {one_line(str(error))}; see Policy.act, and mend it."
        ) from None


def _teacher(file: Path, policy: str | None, settings: str | None) -> str:
    """The name of a teacher by its file.

    Raises:
        ConfigurationError: A policy is named as well, or the file says something else than a teacher.
        MissingFileError: There is no such file.
    """
    import yaml

    if policy is not None or settings is not None:
        raise ConfigurationError("--teacher FILE says which policy: leave POLICY and --settings away.")
    if not file.is_file():
        raise MissingFileError(f"--teacher {file}: there is no such file.")
    with failing_as(ConfigurationError, f"{file} is no YAML file with a teacher block", "mend it"):
        blocks = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(blocks, dict) or set(blocks) != {"teacher"}:
            raise ValueError("it must have one block, teacher: the others are the challenge's")
    return file.stem


def _policy(given: str | None, settings: str | None) -> tuple[dict[str, Any], str]:
    """The policy as a configuration, and the name of its class.

    Raises:
        ConfigurationError: It is no path of a class, or the settings are no JSON object.
    """
    from dataenvgym import catalogue

    if given is None:
        raise ConfigurationError("Name a policy: my_module.MyPolicy, or one of `dataenvgym list policies`.")
    path = f"teachers.policies.{given}" if given in catalogue.names("policies") else given
    if "." not in path:
        raise ConfigurationError(f"There is no policy {given!r}: give the path of a class, my_module.{given}.")
    with failing_as(ConfigurationError, f"--settings is {settings!r}, no JSON object", "mend it"):
        values = json.loads(settings or "{}")
        if not isinstance(values, dict):
            raise ValueError("no object")
    return {"class_path": path, "init_args": values}, path.rpartition(".")[2]
