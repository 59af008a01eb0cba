"""What makes runs comparable, read from their configurations: the board they belong to, and the teacher they had."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dataenvgym.reading.run import Run

# The trainer's settings that decide how a student learns; others (devices, loggers) may differ between runs of a board.
_TRAINER = ("max_epochs", "max_steps", "max_time", "accumulate_grad_batches", "gradient_clip_val", "precision")
# A teacher's settings that say how its calls are kept and paid, not what it teaches.
_BOOKKEEPING = ("journal", "journal_path", "max_usd", "prices")


def policy_of(run: Run) -> Mapping[str, Any]:
    """The class of a run's policy, with its arguments."""
    return _spec(run.block("teacher").get("policy"))


def _spec(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"class_path": str(value)}


def class_name(spec: Mapping[str, Any]) -> str:
    """The name of a class, without its module."""
    return str(spec.get("class_path")).rsplit(".", 1)[-1]


def board_key(run: Run, max_epochs: int | None = None) -> str:
    """What the runs of a board have in common, as text."""
    trainer = dict(run.config.get("trainer") or {})
    if max_epochs is not None:
        trainer["max_epochs"] = max_epochs
    shared = {
        "names": [str(run.summary.get(name)) for name in ("task", "environment", "student")],
        **{name: run.config.get(name) for name in ("task", "environment", "model", "data")},
        "trainer": {name: trainer.get(name) for name in _TRAINER},
        "instances": run.provenance.get("data"),
        "weights": (run.provenance.get("model") or {}).get("fingerprint"),
    }
    return json.dumps(shared, sort_keys=True, default=str)


def differ_in_environment_alone(key: str, other: str) -> bool:
    """Whether two boards are of different environments and the same in all else, the settings of both included."""
    here, there = json.loads(key), json.loads(other)
    blocks = [dict(board.pop("environment") or {}) for board in (here, there)]
    names = [board["names"].pop(1) for board in (here, there)]
    settings = [dict(block.get("init_args") or {}) for block in blocks]
    shared = settings[0].keys() & settings[1].keys()
    return bool(here == there and names[0] != names[1] and all(settings[0][n] == settings[1][n] for n in shared))


def differences(key: str, other: str) -> list[str]:
    """The settings in which two boards differ, each as ``name here (there: other value)``."""
    here, there = (dict(_leaves(json.loads(text))) for text in (key, other))
    return [
        f"{name} {_brief(here.get(name))} (there: {_brief(there.get(name))})"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]


def _brief(value: Any) -> str:
    return str(value)[:20]


def teacher_key(run: Run) -> str:
    """What the runs of a teacher have in common, as text."""
    settings = {name: value for name, value in run.block("teacher").items() if name not in _BOOKKEEPING}
    kind = (run.config.get("teacher") or {}).get("class_path")
    return json.dumps([kind, settings], sort_keys=True, default=str)


def names_of(runs: Sequence[Run]) -> list[str]:
    """Names of teachers; where two are the same, with the settings in which they differ."""
    names = []
    for run in runs:
        teacher = run.block("teacher")
        parts = [_described(policy_of(run)), class_name(_spec(teacher.get("engine")))]
        if teacher.get("chat"):
            chat = _spec(teacher["chat"])
            parts.append(str((chat.get("init_args") or {}).get("model") or class_name(chat)))
        names.append(" + ".join(parts))
    leaves = [dict(_leaves(run.block("teacher"))) for run in runs]
    full = []
    for name, own in zip(names, leaves, strict=True):
        twins = [other for other, same in zip(leaves, names, strict=True) if same == name]
        differing = [
            key
            for key in own
            if key.split(".")[0] not in _BOOKKEEPING and any(own[key] != twin.get(key) for twin in twins)
        ]
        shown = ", ".join(f"{key.rsplit('.', 1)[-1]} {own[key]}" for key in differing)
        full.append(f"{name}, {shown}" if shown else name)
    return full


def _described(policy: Mapping[str, Any]) -> str:
    inner = (policy.get("init_args") or {}).get("policy")
    return class_name(policy) if inner is None else f"{class_name(policy)}({_described(_spec(inner))})"


def _leaves(value: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def budget_of(run: Run) -> str:
    """The budget of a run in words."""
    budget = run.block("environment").get("budget") or {}
    units = (("max_records", "records"), ("max_steps", "steps"), ("max_seconds", "seconds"))
    return ", ".join(f"{budget[name]:,} {unit}" for name, unit in units if budget.get(name)) or "not recorded"
