"""What tables are made on: a preset with its domains, and the cells that every table is built from.

Tables share their run directories (``runs/reproduce/<preset>``): a cell that two of them need is run once.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataenvgym.studies.cells import ROOT, Cell, no_state, with_feedback

ENVIRONMENTS = {"open_ended": "Open-Ended", "skill_list": "Skill-List", "skill_tree": "Skill-Tree"}


@dataclass(frozen=True)
class Domain:
    """One row block of the tables.

    Args:
        name: How cells call it.
        label: How tables call it: benchmark and student.
        task: Fragment of the task.
        student: Fragment of the student.
        overrides: Settings of this domain over the fragments.
        gpu_minutes: Minutes of one GPU for a step, training and evaluation; None if it needs none.
        discovered: Whether its skills are discovered by the teacher's chat model, once for all cells.
        records: Budget of an episode; None takes the preset's.
    """

    name: str
    label: str
    task: str
    student: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    gpu_minutes: float | None = None
    discovered: bool = False
    records: int | None = None


@dataclass(frozen=True)
class Preset:
    """How a table is run.

    Args:
        name: ``embedded``, ``paper`` or ``rehearsal``, or a name of your own.
        domains: Its domains, by name.
        teachers: Suffix of the teachers' fragments: ``procedural`` or ``llm``.
        records: Budget of an episode.
        steps: Its steps.
        overrides: Settings of all cells.
        environments: Settings of the cells of an environment, by its name; those of a domain come after them.
        options: Words for the command line of all cells, which come after their settings.
        out: Folder of its run directories; None takes ``runs/reproduce/<preset>``.
        seeds: How many seeds are run unless the command says otherwise; None leaves it to the table.
        surroundings: Makes what its cells need and keeps it up while they run; None needs nothing.
        launcher: What starts its cells unless the command says otherwise.
        note: What is written below every table and above every figure.
    """

    name: str
    domains: Mapping[str, Domain]
    teachers: str
    records: int
    steps: int
    overrides: Mapping[str, Any] = field(default_factory=dict)
    environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    out: Path | None = None
    seeds: int | None = None
    surroundings: Callable[[], AbstractContextManager[None]] | None = None
    launcher: str = "local"
    note: str = ""

    @property
    def folder(self) -> Path:
        """Folder of the run directories."""
        return self.out or ROOT / "runs" / "reproduce" / self.name

    def cell(self, domain: str, environment: str, seed: int, **overrides: Any) -> Cell:
        """The teacher with state in an environment, a fragment's name; overrides have ``__`` for the dots of a key."""
        place = self.domains[domain]
        settings = {
            "environment.budget.max_records": place.records or self.records,
            "environment.budget.max_steps": self.steps,
            **self.overrides,
            **self.environments.get(environment, {}),
            **place.overrides,
            **{name.replace("__", "."): value for name, value in overrides.items()},
        }
        if place.discovered and environment != "open_ended":
            settings["environment.skills"] = {
                "class_path": "environments.skills.DiscoveredSkills",
                "init_args": {"path": str(self.skills_file(domain))},
            }
        teacher = f"teachers/{environment}_{self.teachers}"
        fragments = (f"tasks/{place.task}", f"students/{place.student}", f"environments/{environment}", teacher)
        return Cell(f"{domain}-{environment}", seed, fragments, settings, self.options)

    def without_state(self, cell: Cell) -> Cell:
        """The same policy, environment and engine, the policy without any feedback about the student."""
        return replace(with_feedback(cell, "none"), name=f"{cell.name}-no_state")

    def random_records(self, domain: str, seed: int) -> Cell:
        """The floor of random valid records; its teacher knows the domain alone, so one row serves all environments."""
        base = self.cell(domain, "open_ended", seed)
        return replace(no_state(base, f"teachers/no_state_{self.teachers}"), name=f"{domain}-random")

    def skills_file(self, domain: str) -> Path:
        """Where a domain's discovered skills are frozen."""
        return self.folder / "skills" / f"{domain}.json"
