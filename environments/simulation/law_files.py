"""The laws that ship: one file for each student, task and engine, with noise, likelihoods and where it is from."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments.simulation.law import StaticLaw
from tasks.errors import ConfigurationError, RecordError, failing_as
from tasks.records import write_atomic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "laws"


@dataclass(frozen=True)
class LawFile:
    """Laws of one student, and what it takes to draw runs of it.

    Args:
        name: What it is called.
        law: Laws of one form: the first is fitted to all fits, the others to resampled ones.
        run_sd: Standard deviation between runs of a skill's logit, in each skill by itself.
        common_sd: The same of what all skills share in a run.
        persistence: Correlation of an instance's score between two runs on one allocation.
        likelihood: Intercept and slope of the logit of a skill's mean likelihood on that of its accuracy, of shape
            (2, skills).
        facts: Where it is from: ``task`` (a class), ``world``, ``challenges``, ``fits``, ``command``.
    """

    name: str
    law: StaticLaw
    run_sd: float
    common_sd: float
    persistence: float
    likelihood: "NDArray[np.float64]"
    facts: Mapping[str, Any]

    @property
    def members(self) -> int:
        """How many laws there are."""
        return len(self.law.parameters["z"])

    @property
    def task(self) -> str:
        """The class of the task."""
        return str(self.facts["task"])

    def accuracies(
        self, counts: "NDArray[Any]", member: int, noise: float, rng: "np.random.Generator"
    ) -> "NDArray[np.float64]":
        """What one run's student can do after records of shape (skills,): its accuracy by skill."""
        import numpy as np

        expected = self.law.accuracy(counts)[member].clip(1e-9, 1 - 1e-9)
        drawn = self.run_sd * rng.standard_normal(len(expected)) + self.common_sd * rng.standard_normal()
        return np.asarray(1 / (1 + np.exp(-(np.log(expected / (1 - expected)) + noise * drawn))))

    def likelihoods(self, accuracies: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The mean likelihood of the reference replies by skill, from accuracies by skill."""
        import numpy as np

        inside = accuracies.clip(0.002, 0.998)
        intercept, slope = self.likelihood
        return np.asarray(1 / (1 + np.exp(-(intercept + slope * np.log(inside / (1 - inside))))))


def law_names() -> list[str]:
    """The laws that ship."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


@cache
def read_law(name: str) -> LawFile:
    """A shipped law, or one in a file.

    Raises:
        ConfigurationError: There is none of that name.
        RecordError: The file is damaged.
    """
    import numpy as np

    path = Path(name) if name.endswith(".npz") else FOLDER / f"{name}.npz"
    if not path.is_file():
        raise ConfigurationError(f"There is no law {name!r}; there are {', '.join(law_names())}, or give a .npz file.")
    with failing_as(RecordError, f"{path} is damaged, no law", "restore it, or make it with scripts/fit_laws.py"):
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            parameters = {
                key.removeprefix("law."): arrays[key].astype(np.float64)
                for key in arrays.files
                if key.startswith("law.")
            }
            likelihood = arrays["likelihood"].astype(np.float64)
        law = StaticLaw(tuple(facts.pop("skills")), parameters)
        own, common, persisting = (float(facts.pop(key)) for key in ("run_sd", "common_sd", "persistence"))
        return LawFile(path.stem, law, own, common, persisting, likelihood, facts)


def write_law(path: Path, made: LawFile) -> None:
    """Writes a law for ``read_law``; the same law makes the same file."""
    import numpy as np

    facts = {
        **made.facts,
        "skills": list(made.law.skills),
        **{key: getattr(made, key) for key in ("run_sd", "common_sd", "persistence")},
    }
    arrays: dict[str, Any] = {f"law.{name}": value.astype(np.float32) for name, value in made.law.parameters.items()}
    arrays |= {"facts": np.array(json.dumps(facts, sort_keys=True)), "likelihood": made.likelihood.astype(np.float32)}
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, held.getvalue())
