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

# Share of the scores that must be the same, of those that are not 0 in both. Measured: two threads for one, or no AVX2,
# left all the same; records and order of another seed 82 % (relevance-v1), 60 % (global_vqa-v1), 33 % (global_code-v1).
_LEAST = 0.95
_FEW = 3  # may differ in any case
_RECORDS, _SEED = 48, 77
# Of a student that knows nothing of a task, so few records leave all scores 0: where fewer than this share are not, it
# is given twice as many, of the skill that is asked most.
_SHOWN = 0.02


@cache
def canary(challenge: Challenge, skill: str | None = None) -> Mapping[str, Any]:
    """Fits the challenge's student once, on 48 records dealt over the catalogue or 96 of one skill.

    Returns ``skill``, None for the catalogue; ``records``, a hash of the records, the same on every machine;
    ``scores``, one digit for each validation and test instance; ``platform``, what rounding depends on.
    """
    world = World(challenge)
    share, rest = divmod(_RECORDS, len(world.skills))
    allocation = {name: share + (place < rest) for place, name in enumerate(world.skills)}
    if skill is not None:
        allocation = {skill: 2 * _RECORDS}
    job = Job("canary", _SEED, {name: count for name, count in allocation.items() if count})
    rows = [asdict(record) for record in world.records(job)]
    digest = hashlib.sha256(
        json.dumps(rows, sort_keys=True, default=lambda image: image.picture().tobytes().hex()).encode()
    )
    fit = world.fit(job)
    scores = "".join(
        str(min(9, int(10 * score)))
        for split in ("val", "test")
        for skill in world.skills
        for score in fit.scores[split].get(skill, ())
    )
    return {"skill": skill, "records": digest.hexdigest()[:16], "scores": scores, "platform": _platform()}


def kept_canary(challenge: Challenge) -> Mapping[str, Any] | None:
    """The canary that ships for the challenge's world, if there is one."""
    found = json.loads(CANARIES.read_text(encoding="utf-8")) if CANARIES.is_file() else {}
    return found.get(challenge.world)


def keep_canary(challenge: Challenge) -> None:
    """Makes the canary of the challenge's world and adds it to those that ship."""
    found = json.loads(CANARIES.read_text(encoding="utf-8")) if CANARIES.is_file() else {}
    made = canary(challenge)
    if _shown(made["scores"]) < _SHOWN and challenge.exam:
        made = canary(challenge, max(challenge.exam, key=lambda skill: challenge.exam[skill]))
    if made["scores"].strip("0") == "":
        raise ConfigurationError(f"The canary of {challenge.name} shows nothing: its student learns too little of it.")
    found[challenge.world] = made
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
    now = canary(challenge, kept["skill"])
    if now["records"] != kept["records"]:
        raise ConfigurationError(
            f"The baselines of {challenge.name} are stale: its engine makes other records than it did for them. Run "
            "scripts/fill_baselines.py again, or use the version of this package that they came with."
        )
    same, of = _agreement(now["scores"], kept["scores"])
    most = max(_FEW, (1 - _LEAST) * of)
    if same < of - most:
        raise ConfigurationError(
            f"The baselines of {challenge.name} are stale: a small fit gives {same} of {of} of their scores here; at "
            f"most {most:.0f} may differ. The student or the code that trains it has changed; run "
            "scripts/fill_baselines.py again, or use the version of this package that they came with."
        )
    if same == of:
        return "a small fit answers here exactly as it did for the baselines"
    return f"a small fit gives {same} of {of} scores as it did for the baselines (rounding: {_difference(now, kept)})"


def _shown(scores: str) -> float:
    return 1 - scores.count("0") / len(scores)


def _agreement(one: str, other: str) -> tuple[int, int]:
    """How many scores are the same, and of how many: those that are not 0 in both."""
    longest = max(len(one), len(other))
    pairs = list(zip(one.ljust(longest, "-"), other.ljust(longest, "-"), strict=True))
    return sum(a == b != "0" for a, b in pairs), len(pairs) - pairs.count(("0", "0"))


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
