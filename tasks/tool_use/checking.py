"""The tools as a teacher's prompt lists them, and the type check that its plans pass before they are records."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.errors import RecordError
from tasks.prompting import DomainText, read_domain_text
from tasks.records import record_from_mapping
from tasks.tool_use.parsing import parse_plan
from tasks.tool_use.plans import Call, Mixed, Plan, Reference, Unknown, Value, references
from tasks.tool_use.tools import TOOLS, Tool, ValueType, fits, tool_list
from tasks.types import TrainingRecord

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_MADE_BY_TOOLS: tuple[ValueType, ...] = ("objects", "object")


class PlanRecord(BaseModel):
    """What a teacher writes: a request and the plan that carries it out."""

    model_config = ConfigDict(extra="forbid")

    instruction: str
    response: str


def plan_domain_text(name: str) -> DomainText:
    """The domain text of a task, with the list of tools where its guide says ``{tools}``."""
    text = read_domain_text("tasks.tool_use", name, (PlanRecord,))
    stages = (replace(stage, guide=stage.guide.replace("{tools}", tool_list())) for stage in text.stages)
    return replace(text, stages=tuple(stages))


def checked_record(reply: Mapping[str, Any]) -> TrainingRecord:
    """A record whose response is a plan that the signatures allow; an ``answer``, if given, must be the same plan."""
    record = record_from_mapping(reply)
    plan = parse_plan(record.response)
    check_plan(plan)
    if record.answer != record.response and parse_plan(record.answer).trees != plan.trees:
        raise RecordError(f"answer and response are different plans: {record.answer!r:.120}")
    return record


def check_plan(plan: Plan) -> None:
    """Checks a plan against the signatures of its tools.

    Raises:
        RecordError: It has no calls, an unknown tool, a missing or unknown argument, or an argument of a wrong type.
    """
    if not plan.calls:
        raise RecordError("the response holds no plan: write one call of a tool in each line")
    for step, call in enumerate(plan.calls):
        where = f"call {step + 1}, {call.tool}"
        if call.tool not in TOOLS:
            raise RecordError(f"{where}: there is no such tool")
        tool = TOOLS[call.tool]
        given = [name for name, _ in call.arguments]
        if missing := [name for name in tool.arguments if name not in given]:
            raise RecordError(f"{where}: the argument {missing[0]!r} is missing ({tool.signature})")
        if unknown := [name for name in given if name not in tool.arguments]:
            raise RecordError(f"{where}: there is no argument {unknown[0]!r} ({tool.signature})")
        for name, value in call.arguments:
            if problem := _problem(tool, name, value, plan.calls):
                raise RecordError(f"{where}: {name} {problem}")


def _problem(tool: Tool, name: str, value: Value, calls: tuple[Call, ...]) -> str | None:
    wanted = tool.arguments[name]
    if isinstance(value, Unknown):
        return f"is {value.text!r:.80}, which is neither a value nor the result of an earlier call"
    for reference in references(value):
        if problem := _reference_problem(reference, "text" if isinstance(value, Mixed) else wanted, calls):
            return problem
    if isinstance(value, Mixed) and wanted != "text":
        return f"mixes words and results, but takes {wanted}"
    if not isinstance(value, str):
        return None
    if wanted in _MADE_BY_TOOLS:
        return f"takes {wanted}, which only another tool can give, and not {value!r:.80}"
    if not value.strip():
        return "is empty"
    if wanted == "number" and not _NUMBER.fullmatch(value.strip()):
        return f"takes a number and not {value!r:.80}"
    return None


def _reference_problem(reference: Reference, wanted: ValueType, calls: tuple[Call, ...]) -> str | None:
    maker = TOOLS[calls[reference.step].tool]
    if reference.output is None:
        return f"takes {wanted}; say which output of {maker.name} is meant ({', '.join(maker.outputs)})"
    if reference.output not in maker.outputs:
        return f"uses {reference.output!r}, which is no output of {maker.name} ({', '.join(maker.outputs)})"
    kind = maker.outputs[reference.output]
    return None if fits(kind, wanted) else f"takes {wanted}, and {reference.output!r} of {maker.name} is {kind}"
