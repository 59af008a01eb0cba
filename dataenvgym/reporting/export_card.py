"""The card of an exported dataset: licence, what is in it, and the run that it is from."""

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence

import yaml

from dataenvgym.reading.run import Run
from dataenvgym.reporting.pages import UNKNOWN
from tasks.base import ProceduralTask
from tasks.markdown import markdown_table
from tasks.types import TrainingRecord

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


_UNSETTLED = (
    "The licence is not settled: records that a language model wrote are under its provider's terms, records that "
    "imitate a benchmark may be under the benchmark's.",
    "",
)

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


def default_license(run: Run) -> str:
    """``mit``, this project's own, if its procedural tasks made every record; ``other`` if anything else had a part.

    What a language model wrote is under its provider's terms, and what imitates a benchmark may be under the
    benchmark's: the person who publishes it has to read and name them.
    """
    teacher = run.block("teacher")
    module, _, name = str((run.config.get("task") or {}).get("class_path")).rpartition(".")
    try:
        task = getattr(importlib.import_module(module), name, None) if module else None
    except ImportError:
        return "other"  # a task of somebody's own, which is not here
    procedural = isinstance(task, type) and issubclass(task, ProceduralTask)
    return "mit" if procedural and teacher and not teacher.get("chat") else "other"


def card(records: Sequence[tuple[int, TrainingRecord]], columns: Sequence[str], run: Run, license: str) -> str:
    """The card as Markdown with the front matter that the hub reads."""
    summary = run.summary
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
        *(_UNSETTLED if license == "other" else ()),
        "## Where they are from",
        "",
        *markdown_table(("", ""), _facts(run)),
        "",
        *_accuracy_lines(run),
        "## Records by skill",
        "",
        *markdown_table(("skill", "records"), Counter(record.skill or "none" for _, record in records).most_common()),
        "",
        "## Records by step",
        "",
        *markdown_table(("step", "records"), sorted(Counter(step for step, _ in records).items())),
        "",
        "## Columns",
        "",
        *(f"- `{name}`: {_COLUMNS[name]}" for name in columns),
    ]
    return "\n".join(lines) + "\n"


def _facts(run: Run) -> list[tuple[str, str]]:
    summary, cost = run.summary, run.summary.get("cost") or {}
    usd, chat = cost.get("usd"), run.block("teacher").get("chat")
    facts = [(name, summary.get(name)) for name in ("task", "environment", "teacher", "student", "seed", "status")]
    facts += [("run", run.name), ("commit", run.provenance.get("git_commit"))]
    if isinstance(chat, Mapping) and (model := (chat.get("init_args") or {}).get("model")):
        facts.append(("chat model", model))
    facts += [("dollars", None if usd is None else f"{usd:.2f}"), ("tokens", cost.get("tokens"))]
    facts += [("rejected", sum((summary.get("rejected") or {}).values()))]
    return [(name, UNKNOWN if value is None else str(value)) for name, value in facts]


def _accuracy_lines(run: Run) -> list[str]:
    rows = []
    for name, before, after, gain in (
        ("validation", run.before.val, run.after.val, run.gain.val),
        ("test", run.before.test, run.after.test, run.gain.test),
    ):
        if before is None or after is None:
            continue
        points = "" if gain is None else f"{gain:+.1f}"
        if gain is not None and gain.ci95 is not None:
            points += f" ({gain.ci95[0]:+.1f} to {gain.ci95[1]:+.1f})"
        rows.append((name, f"{100 * before:.1f} %", f"{100 * after:.1f} %", points, after.n))
    if not rows:
        return []
    heads = ("split", "before", "after", "gain, points (95 % interval)", "instances")
    return ["## The student before and after", "", *markdown_table(heads, rows), ""]
