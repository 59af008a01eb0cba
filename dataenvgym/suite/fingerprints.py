"""What a challenge's scores rest on, as one hash: results of another hash are of another challenge."""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from dataenvgym.suite.challenges import Challenge
from dataenvgym.suite.fits import built
from dataenvgym.suite.results import Result
from environments.run.provenance import fingerprint_instances
from lightning_modules.base_weights import resolve_model
from tasks.errors import ConfigurationError

# Of a student's folder, what its answers depend on: weights, configuration, tokenizer, records that are replayed.
_OF_THE_STUDENT = ("*.safetensors", "*config.json", "tokenizer.json", "*.jinja", "replay.jsonl")


def check_fresh(challenges: Iterable[Challenge], shipped: Iterable[Result]) -> None:
    """Refuses shipped results that are not of today's challenges.

    Raises:
        ConfigurationError: Instances, settings or the student of a challenge have changed since.
    """
    kept: dict[str, set[str]] = {}
    for result in shipped:
        kept.setdefault(result.challenge, set()).add(result.fingerprint)
    for one in challenges:
        if kept.get(one.name, set()) - {now := fingerprint(one)}:
            raise ConfigurationError(
                f"The baselines of {one.name} are stale: {one.path}, its student or its instances are not those that "
                f"they were made with (fingerprint {now}). Restore them, or make a challenge of another name."
            )


@lru_cache(maxsize=64)
def fingerprint(challenge: Challenge) -> str:
    """The hash of a challenge's settings, its evaluation instances, and its student."""
    task = built(challenge).config_init["task"]
    digest = hashlib.sha256(json.dumps(challenge.config, sort_keys=True).encode())
    for split in ("val", "test"):
        digest.update(fingerprint_instances(task.instances(split)).encode())
    folder = Path(resolve_model(challenge.config["model"]["init_args"]["model_name_or_path"]))
    for pattern in _OF_THE_STUDENT:
        for path in sorted(folder.glob(pattern)):
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
