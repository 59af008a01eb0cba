"""Runs policies on challenges, each on several seeds, as the cells of a grid that can be killed and continued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from dataenvgym import catalogue
from dataenvgym.reading.run import Run
from dataenvgym.studies.cells import Cell
from dataenvgym.studies.grid import run_grid, unfinished
from dataenvgym.suite.challenges import Challenge
from dataenvgym.suite.fingerprints import code_of, fingerprint
from dataenvgym.suite.results import Result
from tasks.errors import ConfigurationError
from tasks.records import read_json, write_json


@dataclass(frozen=True)
class Entry:
    """A run that is wanted, on a challenge, with a seed.

    Args:
        challenge: The challenge.
        name: What the teacher is called.
        policy: The policy's ``class_path`` and ``init_args``; None leaves it to ``teacher``.
        seed: The run's seed.
        teacher: A YAML file with a teacher block, laid over the challenge's own: policy and engine are judged together.
        environment: Another environment than the challenge's, by the name of its fragment (``skill_tree``). The
            yardsticks hold in all of them, since a student depends on its records and not on what a teacher was shown.
    """

    challenge: Challenge
    name: str
    policy: Mapping[str, Any] | None
    seed: int
    teacher: Path | None = None
    environment: str | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the teacher is made of: the policy, or the file's block; and where it acts, if not in Skill-List."""
        if self.teacher is None:
            made = dict(self.policy or {})
        else:
            made = dict(yaml.safe_load(self.teacher.read_text(encoding="utf-8")))
        return made if self.environment is None else {**made, "environment": self.environment}

    @property
    def environment_settings(self) -> dict[str, Any]:
        """The environment by dotted key, with the challenge's budget and all else; empty for the challenge's own."""
        if self.environment is None:
            return {}
        fragment = catalogue.FOLDER / "environments" / f"{self.environment}.yaml"
        path = yaml.safe_load(fragment.read_text(encoding="utf-8"))["environment"]["class_path"]
        return {"environment": {**self.challenge.config["environment"], "class_path": path}}

    @cached_property
    def code(self) -> str:
        """The hash of its policy's source."""
        return code_of(self.settings)

    @property
    def cell(self) -> Cell:
        """The entry as an episode of a grid."""
        settings = {} if self.policy is None else {"teacher.init_args.policy": dict(self.policy)}
        settings |= self.environment_settings
        files = (str(self.challenge.path), *([str(self.teacher.absolute())] if self.teacher else []))
        return Cell(f"{self.challenge.name}.{self.name}", self.seed, files, settings)


def run_entries(
    entries: Sequence[Entry], out: Path, jobs: int = 2, launcher: str = "local"
) -> tuple[list[Result], Mapping[str, str]]:
    """Runs what is not finished yet; returns the results, and why runs failed, by run directory.

    Args:
        entries: The runs that are wanted.
        out: Folder of the run directories: the same call continues after a kill.
        jobs: Runs side by side, of one thread each.
        launcher: ``local`` or ``ray``.
    """
    _claim(entries, out)
    cells = {(entry.cell.name, entry.seed): entry for entry in entries}
    done = run_grid([entry.cell for entry in entries], out, jobs, launcher=launcher)
    results = []
    for key, run in done.runs.items():
        run.check_finished()
        results.append(result_of(run, cells[key]))
    return results, done.failures


def _claim(entries: Sequence[Entry], out: Path) -> None:
    """Writes beside every run what it rests on, and refuses folders whose runs rest on something else."""
    for entry in entries:
        now = {"settings": entry.settings, "code": entry.code, "fingerprint": fingerprint(entry.challenge)}
        path, folder = out / ".suite" / f"{entry.cell.folder}.json", out / entry.cell.folder
        kept = read_json(path) if path.is_file() else {}
        changed = [what for what in now if kept.get(what) != now[what]]
        if folder.exists() and changed:
            meant = {"settings": "its settings", "code": "the policy's code", "fingerprint": "the challenge or student"}
            raise ConfigurationError(
                f"{folder} holds a run of {entry.name} from before a change of "
                f"{' and '.join(meant[what] for what in changed)}: choose another --name or --out, or delete it."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, now)


def result_of(run: Run, entry: Entry) -> Result:
    """What is kept of a finished run."""
    allocation: dict[str, int] = {}
    for line in run.steps:
        for skill, count in line["allocation"].items():
            allocation[skill] = allocation.get(skill, 0) + count
    after = run.steps[-1]["test"]["overall"]
    return Result(
        entry.challenge.name,
        entry.name,
        run.seed,
        run.scores[run.last_step]["test"],
        after.get("likelihood"),
        [round(run.accuracy(step, "val"), 6) for step in (line["step"] for line in run.steps)],
        dict(sorted(allocation.items())),
        round(sum(sum(line["seconds"].values()) for line in run.steps), 1),
        entry.settings,
        entry.code,
        fingerprint(entry.challenge),
    )


def forecast(entries: Sequence[Entry], shipped: Sequence[Result], out: Path, jobs: int) -> str:
    """What ``run_entries`` would run, and how long the shipped results' runs took on the machine that made them."""
    cells = {(entry.challenge.name, entry.cell.folder): entry.cell for entry in entries}
    due = {cell.folder for cell in unfinished(list(cells.values()), out)}
    lines, total = [], 0.0
    for name in dict.fromkeys(entry.challenge.name for entry in entries):
        mine = [folder for challenge, folder in cells if challenge == name]
        left = sum(folder in due for folder in mine)
        took = [result.seconds for result in shipped if result.challenge == name]
        each = f", about {median(took):.0f} s each" if took else ", nobody knows how long"
        total += left * median(took) if took else 0.0
        lines.append(f"{name:<20} {left} of {len(mine)} runs to make{each}")
    return "\n".join([*lines, f"{'together':<20} about {total / 60 / jobs:.0f} min, {jobs} side by side"])
