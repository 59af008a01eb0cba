"""The laws that ship: one file for each student, task and engine, with noise, likelihoods and where it is from."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments.simulation.law import StaticLaw, logit, sigmoid
from tasks.errors import ConfigurationError, RecordError, failing_as
from tasks.records import write_atomic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.base import Task

FOLDER = Path(__file__).parent / "laws"


@dataclass(frozen=True)
class LawFile:
    """Laws of one student, and what it takes to draw runs of it.

    Args:
        name: What it is called.
        law: Laws of one form: the first is fitted to all fits, the others to resampled ones.
        base: Accuracy by skill of the untrained student, as measured: it is the same in every run.
        run_sd: Standard deviation between runs of a skill's logit, in each skill by itself.
        common_sd: The same of what all skills share in a run.
        persistence: Correlation of an instance's score, 0 or 1, between two runs on one allocation, beyond what its
            skill explains.
        likelihood: Intercept and slope of the logit of a skill's mean likelihood on that of its accuracy, of shape
            (2, skills).
        facts: Where it is from: ``task`` (a class), its ``unlearnable`` skills, ``world``, ``challenges``, ``fits``,
            ``bank``, ``command``.
    """

    name: str
    law: StaticLaw
    base: "NDArray[np.float64]"
    run_sd: float
    common_sd: float
    persistence: float
    likelihood: "NDArray[np.float64]"
    facts: Mapping[str, Any]

    @property
    def members(self) -> int:
        """How many laws there are."""
        return len(self.law.parameters["z"])

    def accuracies(
        self, counts: "NDArray[Any]", member: int, noise: float, rng: "np.random.Generator"
    ) -> "NDArray[np.float64]":
        """What one run's student can do after records of shape (skills,): its accuracy by skill."""
        if not counts.any():
            return self.base
        expected = self.law.accuracy(counts)[member].clip(1e-9, 1 - 1e-9)
        drawn = self.run_sd * rng.standard_normal(len(expected)) + self.common_sd * rng.standard_normal()
        return sigmoid(logit(expected, 0.0) + noise * drawn)

    def likelihoods(self, accuracies: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The mean likelihood of the reference replies by skill, from accuracies by skill."""
        intercept, slope = self.likelihood
        return sigmoid(intercept + slope * logit(accuracies))


def task_facts(task: "Task") -> dict[str, Any]:
    """What of a task a law is of, as it stands in its facts: its class, and the skills that cannot be learnt."""
    unlearnable = getattr(getattr(task, "variant", None), "unlearnable", ())
    return {"task": f"{type(task).__module__}.{type(task).__qualname__}", "unlearnable": sorted(unlearnable)}


def law_names() -> list[str]:
    """The laws that ship."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def read_law(name: str) -> LawFile:
    """A shipped law, or one in a file.

    Raises:
        ConfigurationError: There is none of that name.
        RecordError: The file is damaged.
    """
    path = Path(name) if name.endswith(".npz") else FOLDER / f"{name}.npz"
    if not path.is_file():
        raise ConfigurationError(f"There is no law {name!r}; there are {', '.join(law_names())}, or give a .npz file.")
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _read(path: Path, changed: int) -> LawFile:
    import numpy as np

    with failing_as(RecordError, f"{path} is damaged, no law", "restore it, or make it with scripts/fit_laws.py"):
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            parameters = {
                key.removeprefix("law."): arrays[key].astype(np.float64)
                for key in arrays.files
                if key.startswith("law.")
            }
            likelihood, base = (arrays[key].astype(np.float64) for key in ("likelihood", "base"))
        law = StaticLaw(tuple(facts.pop("skills")), parameters)
        own, common, persisting = (float(facts.pop(key)) for key in ("run_sd", "common_sd", "persistence"))
        made = LawFile(path.stem, law, base, own, common, persisting, likelihood, facts)
        size = len(law.skills)
        taught = law.accuracy(np.ones(size))
        usable = taught.shape == (made.members, size) and bool(np.isfinite(taught).all())
        usable &= base.shape == (size,) and likelihood.shape == (2, size)
        usable &= bool(np.isfinite([*base, *likelihood.ravel(), own, common, persisting]).all())
        if not usable or not {"task", "unlearnable", "world", "challenges", "fits"} <= set(facts):
            raise ValueError("arrays of other shapes, no finite numbers, or facts that are missing")
        return made


def write_law(path: Path, made: LawFile) -> None:
    """Writes a law for ``read_law``; the same law makes the same file."""
    import numpy as np

    facts = {
        **made.facts,
        "skills": list(made.law.skills),
        **{key: getattr(made, key) for key in ("run_sd", "common_sd", "persistence")},
    }
    arrays: dict[str, Any] = {f"law.{name}": value.astype(np.float32) for name, value in made.law.parameters.items()}
    arrays |= {"base": made.base.astype(np.float32)}
    arrays |= {"facts": np.array(json.dumps(facts, sort_keys=True)), "likelihood": made.likelihood.astype(np.float32)}
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, held.getvalue())
