"""Which answers were won and lost at which step, and what came of each order: rows made of a run's files."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from dataenvgym.reading.run import SPLITS, Json, Run
from environments.run.directory import RunDir
from tasks.errors import RecordError, failing_as
from tasks.types import Split


@dataclass(frozen=True)
class LedgerRow:
    """An instance whose score changed in a step.

    Args:
        step: The step after which its score was another one than before.
        split: ``val`` or ``test``.
        instance_id: The instance.
        skill: Its skill; None without any.
        change: ``won`` if the score rose, ``lost`` if it fell.
        score: The score after the step.
        own_records: Records of its skill that were new in the step.
        records: All records that were new in the step.
    """

    step: int
    split: Split
    instance_id: str
    skill: str | None
    change: Literal["won", "lost"]
    score: float
    own_records: int
    records: int


@dataclass(frozen=True)
class LineageRow:
    """An order, from the observation that it was made on to the change that followed.

    Args:
        step: The step.
        call: Number of the teacher call within the step.
        order: The order's place in the plan.
        skill: What was ordered; None for any skill.
        subskill: The group under the skill, if one was named.
        like: The validation error that the records were to resemble, if one was named.
        description: What to write, in words.
        seen: Validation accuracy that the teacher was shown of the skill before the order (of all, without a skill).
        ordered: Records ordered.
        accepted: Accepted records of the order: those of its skill, subskill and example, as far as it asked for them;
            None for an example if the engine's records do not say which they resemble.
        prompts: Keys of the requests to a chat model that the order caused, as in calls.jsonl, which knows the step and
            the order: none where a step has several teacher calls.
        after: Validation accuracy of the skill after the step.
        change: ``after`` minus ``seen``; it follows all records of the step and not these alone.
    """

    step: int
    call: int
    order: int
    skill: str | None
    subskill: str | None
    like: str | None
    description: str
    seen: float | None
    ordered: int
    accepted: int | None
    prompts: tuple[str, ...]
    after: float | None
    change: float | None


def ledger(run: Run, split: Split | None = None) -> list[LedgerRow]:
    """Every change of an instance's score from one finished step to the next, in their order.

    Args:
        run: The run.
        split: One of the splits; None for both.
    """
    found, before = [], run.answers(0) if run.steps else []
    for line in run.steps[1:]:
        step, fresh = int(line["step"]), Counter[str | None](row.get("skill") for row in run.record_rows(line["step"]))
        # A step whose answers are missing has no rows, nor has the one after it.
        held = {(row["split"], row["instance_id"]): float(row["score"]) for row in before}
        now = run.answers(step)
        for row in now:
            old, new = held.get((row["split"], row["instance_id"])), float(row["score"])
            if old is None or new == old or row["split"] not in ((split,) if split else SPLITS):
                continue
            skill = row.get("skill")
            change: Literal["won", "lost"] = "won" if new > old else "lost"
            counts = fresh[skill], sum(fresh.values())
            found.append(LedgerRow(step, row["split"], row["instance_id"], skill, change, new, *counts))
        before = now
    return found


def lineage(run: Run) -> list[LineageRow]:
    """Every order of the finished steps."""
    found, before, calls = [], run.steps[0] if run.steps else {}, run.call_rows()
    for line in run.steps[1:]:
        with failing_as(
            RecordError, f"{run.folder(int(line['step'])) / 'plan.json'} is damaged, no plans", "restore it"
        ):
            found += _orders(run, line, before, calls)
        before = line
    return found


def _orders(run: Run, line: Json, before: Json, calls: list[Json]) -> list[LineageRow]:
    step = int(line["step"])
    waiting, found = run.record_rows(step), []
    plans = [list(kept["plan"]["specs"]) for kept in RunDir(run.path).calls(step)]
    exemplified = any("like" in str(row.get("source")) for row in waiting)
    prompts: dict[int, list[str]] = {}
    for call in calls if len(plans) == 1 else ():
        named = (call.get("purpose"), call.get("step")) == ("engine", step) and "failure" not in call
        if named and call.get("item") is not None:
            prompts.setdefault(int(call["item"]), []).append(str(call.get("key")))
    for number, specs in enumerate(plans):
        for order, spec in enumerate(specs):
            if type(spec["count"]) is not int:
                raise ValueError("a count is no number")
            seen, after = (_accuracy(of, spec.get("skill")) for of in (before, line))
            found.append(
                LineageRow(
                    step=step,
                    call=number,
                    order=order,
                    skill=spec.get("skill"),
                    subskill=spec.get("subskill"),
                    like=spec.get("like"),
                    description=spec.get("description") or "",
                    seen=seen,
                    ordered=spec["count"],
                    accepted=_taken(spec, waiting, exemplified),
                    prompts=tuple(prompts.get(order, ())),
                    after=after,
                    change=None if seen is None or after is None else round(after - seen, 6),
                )
            )
    return found


def _taken(spec: Json, waiting: list[Json], exemplified: bool) -> int | None:
    """How many of the waiting records are of an order; takes them out."""
    if spec.get("like") is not None and not exemplified:
        return None

    def fits(row: Json) -> bool:
        if spec.get("like") is not None and str(spec["like"]) not in str(row.get("source")):
            return False
        named = [name for name in ("skill", "subskill") if spec.get(name) is not None and spec.get("like") is None]
        return all(row.get(name) == spec[name] for name in named)

    mine = [row for row in waiting if fits(row)][: int(spec["count"])]
    places = {id(row) for row in mine}
    waiting[:] = [row for row in waiting if id(row) not in places]
    return len(mine)


def _accuracy(line: Json, skill: str | None) -> float | None:
    """A step's validation accuracy of a skill; over all for None."""
    report = line.get("val") or {}
    found = (report.get("overall") if skill is None else (report.get("skills") or {}).get(skill)) or {}
    value = found.get("accuracy", found.get("value"))
    return None if value is None else float(value)
