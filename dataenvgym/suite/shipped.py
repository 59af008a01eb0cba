"""What ships with the suite: named policies, the oracles' allocations, and the results of both."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dataenvgym.suite.challenges import Challenge
from dataenvgym.suite.results import Result, read_results
from dataenvgym.suite.runner import Entry
from tasks.errors import ConfigurationError

HERE = Path(__file__).parent
BANKS = HERE / "banks"
BASELINES = HERE / "baselines"
ORACLES = HERE / "oracles.json"


@dataclass(frozen=True)
class NamedPolicy:
    """A policy under a name.

    Args:
        name: How results call it.
        kind: ``yardstick``, ``heuristic`` or ``ablation``.
        policy: Its ``class_path`` and ``init_args``.
        environment: Where it acts, if not in Skill-List: a name of configs/environments.
    """

    name: str
    kind: str
    policy: Mapping[str, Any]
    environment: str | None = None

    def on(self, challenge: Challenge, seed: int) -> Entry:
        """Its run on a challenge with a seed."""
        return Entry(challenge, self.name, self.policy, seed, environment=self.environment)


@cache
def _policies() -> Mapping[str, Any]:
    return dict(yaml.safe_load((HERE / "policies.yaml").read_text(encoding="utf-8")))


@cache
def oracles() -> Mapping[str, Any]:
    """By challenge, the best allocation that is known, and how it was found."""
    return dict(json.loads(ORACLES.read_text(encoding="utf-8"))) if ORACLES.is_file() else {}


def policies_for(challenge: Challenge) -> dict[str, NamedPolicy]:
    """The shipped policies on a challenge, by name; its own adversary and oracle among them, if it has them."""
    shipped = {name: NamedPolicy(name, **one) for name, one in _policies()["policies"].items()}
    if (adversary := _policies()["adversarial"].get(challenge.name)) is not None:
        shipped["adversarial"] = NamedPolicy("adversarial", "yardstick", adversary)
    if (oracle := oracles().get(challenge.name)) is not None:
        now = (challenge.world, challenge.exam, challenge.max_records)
        if (oracle["world"], oracle["exam"], oracle["max_records"]) != now:
            raise ConfigurationError(
                f"The oracle of {challenge.name} is stale: its settings, student, exam or budget have changed since it "
                "was found; run scripts/fit_bank.py again."
            )
        settings = {"allocation": oracle["allocation"]}
        policy = {"class_path": "teachers.policies.StaticPolicy", "init_args": settings}
        shipped["oracle"] = NamedPolicy("oracle", "yardstick", policy)
    return shipped


def baselines(challenges: Iterable[Challenge]) -> list[Result]:
    """The shipped results on some challenges, whatever their fingerprint."""
    names = {challenge.name for challenge in challenges}
    files = [BASELINES / f"{name}.jsonl.gz" for name in sorted(names)]
    return [result for path in files if path.is_file() for result in read_results(path)]
