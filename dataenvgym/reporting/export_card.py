"""The card of an exported dataset: licence, what is in it, and the run that it is from."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataenvgym.reading.finished_run import read_config
from environments.run.files import Provenance, Summary, read_document
from tasks.base import ProceduralTask
from tasks.errors import MissingFileError
from tasks.types import TrainingRecord

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_UNKNOWN = "not recorded"


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that records are from; what was not recorded is empty.

    Args:
        name: The run directory's name.
        summary: summary.json.
        provenance: provenance.json.
        config: config.yaml.
    """

    name: str
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]
    config: Mapping[str, Any]


def read_origin(run: Path) -> Origin:
    """Reads what a card says of a run.

    Raises:
        MissingFileError: There is no summary.
        RecordError: A file is damaged.
    """
    if not (run / "summary.json").is_file():
        raise MissingFileError(f"{run / 'summary.json'} does not exist: pass a run that has finished a step.")
    provenance, config = run / "provenance.json", run / "config.yaml"
    return Origin(
        run.resolve().name,
        read_document(run / "summary.json", Summary),
        read_document(provenance, Provenance) if provenance.exists() else {},
        read_config(config) if config.exists() else {},
    )


def default_license(origin: Origin) -> str:
    """``mit``, this project's own, if its procedural tasks made every record; ``other`` if anything else had a part.

    What a language model wrote is under its provider's terms, and what imitates a benchmark may be under the
    benchmark's: that has to be read and named by whoever publishes it.
    """
    teacher = (origin.config.get("teacher") or {}).get("init_args") or {}
    procedural = _is_procedural((origin.config.get("task") or {}).get("class_path"))
    return "mit" if procedural and teacher and not teacher.get("chat") else "other"


def card(records: Sequence[tuple[int, TrainingRecord]], columns: Sequence[str], origin: Origin, license: str) -> str:
    """The card as Markdown with the front matter that the hub reads.

    Args:
        records: The records with their steps.
        columns: The dataset's columns.
        origin: The run.
        license: The dataset's licence.
    """
    summary = origin.summary
    title = f"Records of {summary.get('teacher')} for {summary.get('task')}"
    front = {
        "license": license,
        "pretty_name": title,
        "task_categories": ["image-text-to-text" if "image" in columns else "text-generation"],
        "tags": ["dataenvgym", "synthetic"],
        "size_categories": [next((name for limit, name in _SIZES if len(records) < limit), "n>1M")],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.parquet"}]}],
    }
    lines = ["---", yaml.safe_dump(front, sort_keys=False, allow_unicode=True).rstrip(), "---", "", f"# {title}", ""]
    lines += [
        f"{len(records):,} training records that a teacher wrote for a student in a closed loop, and that the "
        "environment accepted, exported by `dataenvgym export`.",
        "",
        *_license_lines(license),
        "## Where they are from",
        "",
        *_table(("", ""), _facts(origin)),
        "",
        *_accuracy_lines(summary),
        "## Records by skill",
        "",
        *_table(("skill", "records"), _counts([record.skill or "none" for _, record in records])),
        "",
        "## Records by step",
        "",
        *_table(("step", "records"), sorted(Counter(step for step, _ in records).items())),
        "",
        "## Columns",
        "",
        *(f"- `{name}`: {_COLUMNS[name]}" for name in columns),
    ]
    return "\n".join(lines) + "\n"


_COLUMNS = {
    "messages": "the record as a chat, `user` then `assistant`",
    "instruction": "what the student is asked",
    "response": "what it learns to reply",
    "answer": "the final answer that the response arrives at",
    "skill": "the skill that the record was made for, or null",
    "subskill": "the subskill, or null",
    "source": "which engine made it, and for what",
    "step": "the step of the episode that it was accepted in",
    "rejected": "a worse response, for students that learn from preferences, or null",
    "image": "the image that the instruction is about, or null",
}


def _is_procedural(class_path: Any) -> bool:
    module, _, name = str(class_path).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None) if module else None
    except ImportError:
        return False  # a task of somebody's own, which is not here
    return isinstance(found, type) and issubclass(found, ProceduralTask)


def _license_lines(license: str) -> list[str]:
    if license != "other":
        return []
    return [
        "The licence is not settled: records that a language model wrote are under its provider's terms, records that "
        "imitate a benchmark may be under the benchmark's.",
        "",
    ]


def _facts(origin: Origin) -> list[tuple[str, str]]:
    summary, cost = origin.summary, origin.summary.get("cost") or {}
    usd = cost.get("usd")
    facts = [(name, summary.get(name)) for name in ("task", "environment", "teacher", "student", "seed", "status")]
    facts += [("run", origin.name), ("commit", origin.provenance.get("git_commit"))]
    facts += [("chat model", model)] if (model := _chat_model(origin.config)) else []
    facts += [("dollars", _UNKNOWN if usd is None else f"{usd:.2f}"), ("tokens", cost.get("tokens"))]
    facts += [("rejected", sum((summary.get("rejected") or {}).values()))]
    return [(name, _UNKNOWN if value is None else str(value)) for name, value in facts]


def _chat_model(config: Mapping[str, Any]) -> str | None:
    chat = ((config.get("teacher") or {}).get("init_args") or {}).get("chat")
    return None if not isinstance(chat, Mapping) else (chat.get("init_args") or {}).get("model")


def _accuracy_lines(summary: Mapping[str, Any]) -> list[str]:
    rows = []
    for split, name in (("val", "validation"), ("test", "test")):
        before, after = ((summary.get(when) or {}).get(split) or {} for when in ("before", "after"))
        if before.get("accuracy") is None or after.get("accuracy") is None:
            continue
        gain = (summary.get("gain") or {}).get(split) or {}
        ends = "" if not gain.get("ci95") else f" ({gain['ci95'][0]:+.1f} to {gain['ci95'][1]:+.1f})"
        points = "" if gain.get("points") is None else f"{gain['points']:+.1f}{ends}"
        rows.append(
            (name, *(f"{100 * each['accuracy']:.1f} %" for each in (before, after)), points, str(after.get("n")))
        )
    if not rows:
        return []
    heads = ("split", "before", "after", "gain, points (95 % interval)", "instances")
    return ["## The student before and after", "", *_table(heads, rows), ""]


def _counts(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, str(count)) for name, count in Counter(names).most_common()]


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    shown = [[" ".join(str(entry).replace("|", r"\|").split()) for entry in row] for row in (heads, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in shown]
    return [lines[0], "|" + "---|" * len(heads), *lines[1:]]
