"""A small fit whose answers ship with the baselines: where it comes out otherwise, their numbers no longer hold."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from dataenvgym.suite.challenges import Challenge
from dataenvgym.suite.fits import Job, World
from dataenvgym.suite.shipped import HERE
from tasks.errors import ConfigurationError
from tasks.records import write_atomic

CANARIES = HERE / "canaries.json"

# Share of the answers' scores that must be the same where rounding differs. Measured on relevance-v1's: two threads for
# one, or no AVX2, left all 1,296 the same; records and order of another seed 92.0 %.
_LEAST = 0.97
_RECORDS, _SEED = 48, 77


@cache
def canary(challenge: Challenge) -> Mapping[str, Any]:
    """Fits the challenge's student once on 48 records dealt over the catalogue, and returns what came out.

    ``records`` is a hash of the records, the same on every machine; ``scores`` holds one digit for each validation and
    test instance; ``platform`` what rounding depends on.
    """
    world = World(challenge)
    share, rest = divmod(_RECORDS, len(world.skills))
    allocation = {skill: share + (place < rest) for place, skill in enumerate(world.skills)}
    job = Job("canary", _SEED, {skill: count for skill, count in allocation.items() if count})
    digest = hashlib.sha256(json.dumps([asdict(record) for record in world.records(job)], sort_keys=True).encode())
    fit = world.fit(job)
    scores = "".join(
        str(min(9, int(10 * score)))
        for split in ("val", "test")
        for skill in world.skills
        for score in fit.scores[split].get(skill, ())
    )
    return {"records": digest.hexdigest()[:16], "scores": scores, "platform": _platform()}


def kept_canary(challenge: Challenge) -> Mapping[str, Any] | None:
    """The canary that ships for the challenge's world, if there is one."""
    found = json.loads(CANARIES.read_text(encoding="utf-8")) if CANARIES.is_file() else {}
    return found.get(challenge.world)


def keep_canary(challenge: Challenge) -> None:
    """Makes the canary of the challenge's world and adds it to those that ship."""
    found = json.loads(CANARIES.read_text(encoding="utf-8")) if CANARIES.is_file() else {}
    found[challenge.world] = canary(challenge)
    write_atomic(CANARIES, json.dumps(dict(sorted(found.items())), indent=1) + "\n")


def check_canary(challenge: Challenge) -> str:
    """Makes the canary again and compares it with the one that ships; says how they compare.

    Raises:
        ConfigurationError: There is none, or this code, student or machine makes another one: shipped results are not
            those that would come out here.
    """
    kept = kept_canary(challenge)
    if kept is None:
        raise ConfigurationError(f"There is no canary of {challenge.name}: run scripts/fill_baselines.py for it.")
    now = canary(challenge)
    if now["records"] != kept["records"]:
        raise ConfigurationError(
            f"The baselines of {challenge.name} are stale: its engine makes other records than it did for them. Run "
            "scripts/fill_baselines.py again, or use the version of this package that they came with."
        )
    same = _agreement(now["scores"], kept["scores"])
    if same < _LEAST:
        raise ConfigurationError(
            f"The baselines of {challenge.name} are stale: a small fit gives {same:.1%} of their answers here, at "
            f"least {_LEAST:.0%} are expected. The student or the code that trains it has changed; run "
            "scripts/fill_baselines.py again, or use the version of this package that they came with."
        )
    if same == 1:
        return "a small fit answers here exactly as it did for the baselines"
    return f"a small fit answers {same:.1%} as it did for the baselines (rounding: {_difference(now, kept)})"


def _agreement(one: str, other: str) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one) if len(one) == len(other) else 0.0


def _platform() -> dict[str, str]:
    import torch
    import transformers

    return {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def _difference(now: Mapping[str, Any], kept: Mapping[str, Any]) -> str:
    here, there = now["platform"], kept["platform"]
    return "; ".join(f"{name} {here[name]} for {there[name]}" for name in here if here[name] != there.get(name)) or (
        "another processor"
    )
