"""What a plan is: calls of tools whose arguments are written values or the results of earlier calls."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tasks.tool_use.tools import TOOLS, fits

Notation = Literal["code", "short", "json"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A result of an earlier call of the same plan.

    Args:
        step: Position of that call, from 0.
        output: Which of its outputs; None if the plan does not say and the types leave it open.
    """

    step: int
    output: str | None


@dataclass(frozen=True, slots=True)
class Mixed:
    """A text with results of earlier calls inside: written parts and references by turns."""

    parts: tuple[str | Reference, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """An expression that is neither written value nor reference, such as a name that nothing was assigned to.

    ``references`` are the results that it uses, so that they count as data flow.
    """

    text: str
    references: tuple[Reference, ...] = ()


# Written values are text: 1984 and "1984" are the same value, as in the benchmark.
Value = str | Reference | Mixed | Unknown


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool, with its arguments by name, in the order of the signature."""

    tool: str
    arguments: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True)
class Plan:
    """Calls in the order in which they are carried out."""

    calls: tuple[Call, ...] = ()

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools, in order."""
        return tuple(call.tool for call in self.calls)

    @cached_property
    def trees(self) -> Counter[str]:
        """Every call with all that flows into it written out: equal for plans that do the same.

        Names of variables and the order of calls that do not depend on each other leave no trace in it.
        """
        written: list[str] = []
        for call in self.calls:
            tree = _tree(call, written)
            # A tree that uses a result twice holds it twice; a plan that doubles at every step would grow without end.
            long = len(tree) >= 2_000
            written.append(hashlib.sha256(tree.encode("utf-8", "surrogatepass")).hexdigest() if long else tree)
        return Counter(written)


def references(value: Value) -> Iterator[Reference]:
    """The references in a value."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mixed):
        yield from (part for part in value.parts if isinstance(part, Reference))
    elif isinstance(value, Unknown):
        yield from value.references


def fold(text: str) -> str:
    """A written value as it is compared: case (the benchmark's rule) and white space do not count."""
    return " ".join(text.lower().split())


def make_call(tool: str, arguments: dict[str, Value], before: Sequence[Call]) -> Call:
    """A call with its arguments in the order of the signature and its references resolved."""
    known = TOOLS.get(tool)
    order = {name: place for place, name in enumerate(known.arguments)} if known else {}
    names = sorted(arguments, key=lambda name: (order.get(name, len(order)), name))
    return Call(tool, tuple((name, _resolve(tool, name, arguments[name], before)) for name in names))


def _resolve(tool: str, argument: str, value: Value, before: Sequence[Call]) -> Value:
    """A result that is passed on without saying which output, with the only output that can be meant.

    Tools return their outputs by name, and none takes such a mapping: a bare result can only mean the output of the
    argument's own name or, failing that, the single one of a fitting type.
    """
    if isinstance(value, Mixed):
        parts = tuple(p if isinstance(p, str) else _output(tool, argument, p, before) for p in value.parts)
        return Mixed(parts)
    return _output(tool, argument, value, before) if isinstance(value, Reference) else value


def _output(tool: str, argument: str, reference: Reference, before: Sequence[Call]) -> Reference:
    maker = TOOLS.get(before[reference.step].tool)
    if reference.output is not None or maker is None:
        return reference
    wanted = TOOLS[tool].arguments.get(argument) if tool in TOOLS else None
    if wanted is None:
        candidates = list(maker.outputs)
    else:
        candidates = [name for name, kind in maker.outputs.items() if fits(kind, wanted)]
    if argument in candidates:
        return Reference(reference.step, argument)
    return Reference(reference.step, candidates[0]) if len(candidates) == 1 else reference


def _tree(call: Call, written: Sequence[str]) -> str:
    def show(value: Value) -> str:
        if isinstance(value, Reference):
            return f"<{written[value.step]}>.{value.output}"
        if isinstance(value, Mixed):
            return "mixed " + repr([fold(part) if isinstance(part, str) else show(part) for part in value.parts])
        if isinstance(value, Unknown):
            return f"unknown {value.text!r} of {[show(one) for one in value.references]}"
        return repr(fold(value))

    return f"{call.tool}({', '.join(f'{name}={show(value)}' for name, value in sorted(call.arguments))})"


def render(plan: Plan, notation: Notation = "code") -> str:
    """A plan as text that reads back as the same plan.

    Args:
        plan: Calls with known values only; references name their outputs.
        notation: ``code`` is the benchmark's (a line for each call, arguments by name, outputs by key); ``short``
            leaves out names and keys wherever the signatures give them back; ``json`` is the benchmark's node list.
    """
    if notation == "json":
        return json.dumps(plan_nodes(plan), ensure_ascii=False)
    lines = []
    used = {one.step for call in plan.calls for _, value in call.arguments for one in references(value)}
    for step, call in enumerate(plan.calls):
        if notation == "code":
            arguments = ", ".join(f"{name}={_code(value, 'output{}')}" for name, value in call.arguments)
            lines.append(f"output{step} = {call.tool}({arguments})")
        else:
            target = f"{_letter(step)}=" if step in used else ""
            lines.append(f"{target}{call.tool}({','.join(_short(plan, call))})")
    return "\n".join(lines)


def plan_nodes(plan: Plan) -> list[dict[str, Any]]:
    """A plan as the benchmark's list of nodes, with references as ``<node-0>.text``."""

    def show(value: Value) -> str:
        if isinstance(value, Reference):
            return f"<node-{value.step}>.{value.output}"
        if isinstance(value, Mixed):
            return "".join(part if isinstance(part, str) else show(part) for part in value.parts)
        return value.text if isinstance(value, Unknown) else value

    return [
        {"id": step, "name": call.tool, "args": {name: show(value) for name, value in call.arguments}}
        for step, call in enumerate(plan.calls)
    ]


def _letter(step: int) -> str:
    return chr(ord("a") + step) if step < 26 else f"output{step}"


def _short(plan: Plan, call: Call) -> Iterator[str]:
    """Arguments without their names as long as they are those of the signature, in its order."""
    signature = list(TOOLS[call.tool].arguments) if call.tool in TOOLS else []
    positional = True
    for place, (name, value) in enumerate(call.arguments):
        positional = positional and signature[place : place + 1] == [name]
        if isinstance(value, Reference):
            bare = _output(call.tool, name, Reference(value.step, None), plan.calls)
            text = _letter(value.step) + ("" if bare == value else f"[{_quote(value.output or '')}]")
        else:
            text = _code(value, "{}")
        yield text if positional else f"{name}={text}"


def _code(value: Value, variable: str) -> str:
    def show(one: Reference) -> str:
        name = variable.format(one.step) if variable != "{}" else _letter(one.step)
        return name if one.output is None else f"{name}[{one.output!r}]"

    if isinstance(value, Reference):
        return show(value)
    if isinstance(value, Mixed):
        parts = (_inside(part) if isinstance(part, str) else f"{{{show(part)}}}" for part in value.parts)
        return 'f"' + "".join(parts) + '"'
    return value.text if isinstance(value, Unknown) else _quote(value)


def _quote(text: str) -> str:
    plain = text.isprintable() and not any(mark in text for mark in '"\\')
    return f'"{text}"' if plain else repr(text)


def _inside(text: str) -> str:
    if not text.isprintable() or "\\" in text:
        text = text.encode("unicode_escape").decode("ascii")
    return text.replace('"', '\\"').replace("{", "{{").replace("}", "}}")
