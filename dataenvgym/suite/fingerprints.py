"""What a challenge's scores rest on, as one hash: results of another hash are of another challenge."""

import hashlib
import importlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from dataenvgym.suite.challenges import Challenge
from dataenvgym.suite.fits import built
from dataenvgym.suite.results import Result
from environments.run.provenance import fingerprint_instances
from tasks.errors import ConfigurationError, failing_as
from teachers import Engine, Policy


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
    digest.update(challenge.student.encode())
    return digest.hexdigest()[:16]


def code_of(settings: Mapping[str, Any]) -> str:
    """The hash of the source of every policy and engine that settings name: a class with its bases, up to our own.

    What a class calls outside itself is not covered.

    Raises:
        ConfigurationError: There is no class of a path, or it cannot be imported.
    """
    digest = hashlib.sha256()
    for path in _classes_named(settings):
        module, _, name = path.rpartition(".")
        with failing_as(ConfigurationError, f"{path} cannot be imported", "check its name and the folder you are in"):
            made = getattr(importlib.import_module(module), name)
        for kind in made.__mro__ if isinstance(made, type) else ():
            if kind not in (object, Policy, Engine):
                digest.update(inspect.getsource(kind).encode())
    return digest.hexdigest()[:16]


def _classes_named(value: Any) -> Iterator[str]:
    """The paths of classes in settings: under ``class_path``, or a string that looks like one."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _classes_named(one)
    elif isinstance(value, str) and _CLASS.fullmatch(value):
        yield value


_CLASS = re.compile(r"[a-z_]\w*(\.\w+)*\.[A-Z]\w*")
