"""From a reply to a plan: code read with ``ast``, or the benchmark's JSON nodes, with prose and code fences around."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tasks.tool_use.plans import Call, Mixed, Plan, Reference, Value, make_call
from tasks.tool_use.reading import CodeReader
from tasks.tool_use.tools import TOOLS

# A plan of the benchmark has at most a few hundred characters; what stands beyond this in a reply is not read.
MAX_CHARACTERS = 20_000
# Lines that one statement may span, and places at which JSON is looked for.
_MAX_LINES, _MAX_JSON_STARTS = 40, 40

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n`]*\n(.*?)(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE_FENCE = re.compile(r"```(?:python|json)?(.+?)```")
_BULLET = re.compile(r"^(\s*)(?:[-*•>]|\d+[.)]|>>>|(?:Step|ACTION)\s*\d+:)\s+(?=\S)")
_NODE = re.compile(r"<node-(\d+)>(?:\.(\w+))?")
_OPENING = re.compile(r"[\[{]")
_NAME_KEYS, _ARGUMENT_KEYS, _LIST_KEYS = ("name", "tool"), ("args", "arguments"), ("nodes", "plan", "calls")


@lru_cache(maxsize=2_048)
def parse_plan(text: str) -> Plan:
    """The plan in a reply; an empty plan if there is none. Never raises on any text.

    Code fences win over the prose around them. A reply whose fences hold no plan, or that has none, is read whole:
    as JSON nodes if there are any, else as code, and if it is not code as a whole, statement by statement.
    """
    text = text[:MAX_CHARACTERS].replace("\r\n", "\n")
    for candidate in _candidates(text):
        if (plan := _parse_json(candidate) or _parse_code(candidate)) is not None:
            return plan
    return Plan()


def plan_from_nodes(nodes: Any) -> Plan:
    """A plan from the benchmark's nodes: ``[{"id": 0, "name": "image captioning", "args": {"image": "1.jpg"}}, ...]``.

    Raises:
        ValueError: That is not a list of such nodes, or a node refers to one that does not come before it.
    """
    if not isinstance(nodes, list) or not nodes:
        raise ValueError(f"a plan is a list of nodes, found {nodes!r:.80}")
    calls: list[Call] = []
    steps: dict[str, int] = {}
    for place, node in enumerate(nodes):
        name = _first(node, _NAME_KEYS) if isinstance(node, Mapping) else None
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"node {place} has no name: {node!r:.80}")
        given = _first(node, _ARGUMENT_KEYS) or {}
        if not isinstance(given, Mapping):
            raise ValueError(f"the arguments of node {place} are no mapping: {given!r:.80}")
        arguments = {str(key): _node_value(value, steps, calls) for key, value in given.items()}
        calls.append(make_call("_".join(name.split()), arguments, calls))
        steps[str(node.get("id", place))] = place
    return Plan(tuple(calls))


def _first(node: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((node[key] for key in keys if key in node), None)


def _node_value(value: Any, steps: Mapping[str, int], calls: Sequence[Call]) -> Value:
    if not isinstance(value, str):
        return str(value)
    parts: list[str | Reference] = []
    end = 0
    for match in _NODE.finditer(value):
        if match[1] not in steps:
            raise ValueError(f"{match[0]} refers to no earlier node")
        step, output = steps[match[1]], match[2]
        parts += [value[end : match.start()], Reference(step, output)]
        end = match.end()
        # "<node-0>.texts" is the output text and an s, if the tool has an output text.
        outputs = TOOLS[calls[step].tool].outputs if calls[step].tool in TOOLS else {}
        known = [name for name in outputs if output and output.startswith(name)]
        if known and output not in outputs:
            parts[-1] = Reference(step, max(known, key=len))
            end = match.start(2) + len(max(known, key=len))
    parts = [part for part in (*parts, value[end:]) if part != ""]
    if len(parts) == 1:
        return parts[0]
    return Mixed(tuple(parts)) if parts else ""


def _candidates(text: str) -> Iterator[str]:
    fenced = _FENCE.findall(text) or _INLINE_FENCE.findall(text)
    if fenced:
        yield "\n".join(fenced)
    yield text


def _parse_json(text: str) -> Plan | None:
    """The plan of the JSON in a text, if it holds nodes; nodes in separate objects are one plan."""
    if not any(f'"{key}"' in text or f"'{key}'" in text for key in _NAME_KEYS):
        return None
    found: list[Any] = []
    position = 0
    for _ in range(_MAX_JSON_STARTS):
        if (start := _OPENING.search(text, position)) is None:
            break
        value, position = _value_at(text, start.start())
        nodes = _first(value, _LIST_KEYS) if isinstance(value, dict) else value
        if isinstance(nodes, list) and nodes and all(map(_is_node, nodes)):
            found += nodes
        elif _is_node(value):
            found.append(value)
        else:
            position = start.end()  # the nodes may lie deeper inside
    try:
        return plan_from_nodes(found) if found else None
    except (ValueError, RecursionError):
        return None


def _is_node(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(_first(value, _NAME_KEYS), str):
        return False
    return any(key in value for key in (*_ARGUMENT_KEYS, "id"))


def _value_at(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at a place and where it ends; None and the next place if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    if start == len(text) - len(text.lstrip()):  # the whole text may be a Python literal with single quotes
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.literal_eval(text.strip()), len(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            pass
    return None, start + 1


def _parse_code(text: str) -> Plan | None:
    """The plan of the calls in a text; None if there are none."""
    reader = CodeReader()
    tree = parse_python(_dedent(text))
    for statement in [tree] if tree is not None else _statements(text):
        reader.read(statement)
    return Plan(tuple(reader.calls)) if reader.calls else None


def parse_python(text: str) -> ast.Module | None:
    """The syntax tree of a text; None if it is not Python, or is too deep for Python's own parser."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a student's string is not our warning
            return ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _dedent(text: str) -> str:
    """The text without the indentation that its first line and all others share."""
    lines = [line for line in text.split("\n") if line.strip()]
    width = min((len(line) - len(line.lstrip(" \t")) for line in lines), default=0)
    return "\n".join(line[width:] for line in text.split("\n"))


def _statements(text: str) -> Iterator[ast.Module]:
    """The statements of a text that holds other things as well: each may span lines while a bracket is open."""
    lines = [_BULLET.sub(r"\1", line).strip().strip("`") for line in text.split("\n")]
    place = 0
    while place < len(lines):
        for end in _ends(lines, place):
            if (tree := parse_python("\n".join(lines[place:end]))) is not None:
                yield tree
                place = end
                break
        else:
            place += 1


def _ends(lines: Sequence[str], start: int) -> Iterator[int]:
    """Where a statement that begins on a line may end: on that line, or where all brackets were closed again."""
    if "(" not in lines[start] and "=" not in lines[start]:
        return
    yield start + 1  # a text in the line may hold a bracket
    opened = 0
    for end in range(start, min(start + _MAX_LINES, len(lines))):
        opened += sum(lines[end].count(mark) for mark in "([{") - sum(lines[end].count(mark) for mark in ")]}")
        if opened <= 0:
            if end > start:
                yield end + 1
            return  # what follows a balanced line is another statement, whether this one could be read or not
