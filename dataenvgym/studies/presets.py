"""What the tables are made on: the domains of each preset, and the cells that every table is built from.

``embedded`` runs offline on CPU cores: procedural tasks, tiny students, procedural teachers. ``paper`` is what the
paper ran: benchmarks from the hub, students of 2 to 8 billion parameters on a GPU, teachers that are language models.

Tables share their run directories (``runs/reproduce/<preset>``): a cell that two of them need is run once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataenvgym.studies.cells import ROOT, Cell, more_epochs, no_state, with_feedback

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
        gpu_minutes: Minutes of one GPU for a step, training and evaluation, by which GPU-hours are foreseen; None if
            it needs none.
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
        name: ``embedded`` or ``paper``.
        domains: Its domains, by name.
        teachers: Suffix of the teachers' fragments: ``procedural`` or ``llm``.
        records: Budget of an episode.
        steps: Its steps.
        overrides: Settings of all cells.
        options: Words for the command line of all cells, which come after their settings.
        out: Folder of its run directories; None takes ``runs/reproduce/<preset>``.
    """

    name: str
    domains: Mapping[str, Domain]
    teachers: str
    records: int
    steps: int
    overrides: Mapping[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    out: Path | None = None

    @property
    def folder(self) -> Path:
        """Folder of the run directories."""
        return self.out or ROOT / "runs" / "reproduce" / self.name

    def cell(self, domain: str, environment: str, seed: int, **overrides: Any) -> Cell:
        """The teacher with state in an environment.

        Args:
            domain: Name of a domain of this preset.
            environment: Name of a fragment under configs/environments.
            seed: The cell's seed.
            overrides: Further settings, by dotted key with ``__`` for the dots.
        """
        place = self.domains[domain]
        settings = {
            "environment.budget.max_records": place.records or self.records,
            "environment.budget.max_steps": self.steps,
            **self.overrides,
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
        """The floor of random valid records: a teacher that knows the domain alone.

        It sees nothing of what an environment shows, so that one row of it serves all three environments.
        """
        base = self.cell(domain, "open_ended", seed)
        return replace(no_state(base, f"teachers/no_state_{self.teachers}"), name=f"{domain}-random")

    def more_epochs(self, cell: Cell) -> Cell:
        """The floor of a cell with its first step's records alone and the compute of all steps."""
        return more_epochs(cell)

    def skills_file(self, domain: str) -> Path:
        """Where a domain's discovered skills are frozen."""
        return self.folder / "skills" / f"{domain}.json"


# Instances of seed 2: settings of tiny students and policies were chosen by looking at those of seeds 0 and 1.
_FRESH = {"task.init_args.seed": 2}

# Images of records are drawn by SDXL-Turbo (extra: diffusers), as in the authors' code: a task cannot draw photographs.
_DRAWN = {
    "teacher.init_args.engine": {
        "class_path": "teachers.engines.LLMEngine",
        "init_args": {"illustrator": "teachers.engines.DiffusersIllustrator"},
    }
}

# The paper's 24 minutes of an A6000 per iteration are those of MATH, Open-Ended; of the others it says that most
# environments train in under 30 (facts of the paper, table of costs).
_MATH_MINUTES, _OTHER_MINUTES = 24.0, 30.0

EMBEDDED = Preset(
    "embedded",
    {
        domain.name: domain
        for domain in (
            Domain("math", "Mathematics", "math_procedural", "tiny_text", _FRESH),
            Domain("vqa", "VQA", "vqa_procedural", "tiny_vlm", _FRESH),
            Domain("code", "Programming", "code_procedural", "tiny_text", _FRESH),
            # Whole plans of tools take more to learn: from 600 records, this student learns none of them.
            Domain("tool_use", "Tool use", "tool_use_procedural", "tiny_text", _FRESH, records=1000),
        )
    },
    teachers="procedural",
    records=600,
    steps=4,
)

PAPER = Preset(
    "paper",
    {
        domain.name: domain
        for domain in (
            Domain("gqa", "GQA (PaliGemma-3B)", "gqa", "paligemma_3b", _DRAWN, gpu_minutes=_OTHER_MINUTES),
            Domain("math", "MATH (Gemma-2-2B-it)", "math", "gemma2_2b", gpu_minutes=_MATH_MINUTES),
            Domain(
                "livecodebench",
                "LiveCodeBench (Llama-3-8B-it)",
                "livecodebench",
                "llama3_8b",
                {"model.init_args.max_new_tokens": 2000},
                gpu_minutes=_OTHER_MINUTES,
                discovered=True,
            ),
            Domain(
                "naturalbench",
                "NaturalBench (PaliGemma-3B)",
                "naturalbench",
                "paligemma_3b",
                _DRAWN,
                gpu_minutes=_OTHER_MINUTES,
                discovered=True,
            ),
            Domain(
                "mnms",
                "m&m's (Llama-3-8B-it)",
                "mnms",
                "llama3_8b",
                {"model.init_args.max_new_tokens": 256},
                gpu_minutes=_OTHER_MINUTES,
                discovered=True,
            ),
        )
    },
    teachers="llm",
    records=750,  # the paper's best student in mathematics had 752
    steps=10,
)

PRESETS = {preset.name: preset for preset in (EMBEDDED, PAPER)}
