"""The metrics of m&m's as its authors compute them, from the text of a reply on, quirks included.

Rules from RAIVNLab/mnms, ``mnms/evaluation/evaluator.py`` and ``metrics.py``; as in DataEnvGym's copy of
them, the macro average is over the tools that occur (theirs is over all 33, which occur in the whole test set anyway).
Values are in [0, 1] and not rounded; theirs are 100 times as large, with two decimals.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tasks.tool_use.metrics import macro_average, pooled
from tasks.tool_use.parsing import MAX_CHARACTERS
from tasks.tool_use.tools import TOOLS

_NODE = re.compile(r"<node-(\d+)>\.(\w+)")
_WHOLE_NODE = re.compile(r"<node-(\d+)>(?:\.(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CodeLine:
    """A line ``output0 = tool(name=value)``: the tool, and its keyword arguments as they are written."""

    tool: str
    arguments: Mapping[str, str]


def read_lines(code: str) -> list[CodeLine]:
    """The calls that the authors' reader finds in a text, one line at a time.

    It finds a line's first assignment, to a name, of a call of a bare name. Calls over several lines, nested,
    unassigned, annotated (``x: dict = ...``) and of attributes are lost, and so are arguments without a name. A reply
    that is a JSON list of nodes as a whole is read as their format ``json``.
    """
    code = code[:MAX_CHARACTERS]
    nodes = _json_nodes(code)
    text = code_of(nodes) if nodes is not None else code
    return [found for line in text.split("\n") if (found := _read_line(line.strip())) is not None]


def code_of(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Nodes as the lines of code that the authors compare, references as ``output0['text']``.

    A reference inside a longer text stands in an f-string without braces, so that no reply with braces has its value.
    """
    lines = []
    for place, node in enumerate(nodes):
        given = (node.get("args") or node.get("arguments") or {}).items()
        arguments = ", ".join(f"{name}={_written(value)}" for name, value in given)
        tool = str(node.get("name") or node.get("tool")).replace(" ", "_")
        lines.append(f"output{node.get('id', place)} = {tool}({arguments})")
    return "\n".join(lines)


def authors_metrics(pairs: Iterable[tuple[Sequence[Sequence[Mapping[str, Any]]], str]]) -> dict[str, float]:
    """The authors' metrics under their own names behind ``mnms_``: ``mnms_argvalue_f1``, ``mnms_plan_tool_accuracy``.

    Args:
        pairs: For each instance its gold plans as nodes, of which the one with the nearest tools counts, and the reply.

    Returns:
        Each in [0, 1]. ``mnms_tool_normalized_edit_distance`` is the only one that is better when smaller. Without any
        pair, or where nothing is wanted and nothing claimed (no edge in plans of one call), shares are 0.
    """
    plans: list[tuple[list[CodeLine], list[CodeLine]]] = []
    for golds, reply in pairs:
        made = read_lines(reply)
        plans.append((max((read_lines(code_of(gold)) for gold in golds), key=lambda gold: _f1(gold, made)), made))
    count = len(plans) or 1
    found: dict[str, float] = {}
    for name, labels in (("tool_macro", _tools), ("argname", _names), ("argvalue", _values), ("edge", _edges)):
        both = [(set(labels(gold)), set(labels(made))) for gold, made in plans]
        scores = macro_average(both) if name == "tool_macro" else pooled(both)
        if not any(gold or made for gold, made in both):
            scores = (0.0, 0.0, 0.0)
        found |= {f"mnms_{name}_{which}": x for which, x in zip(("precision", "recall", "f1"), scores, strict=True)}
    for name, labels in (("plan_tool", _tools), ("plan_argname", _names), ("plan_argvalue", _values)):
        found[f"mnms_{name}_accuracy"] = sum(labels(gold) == labels(made) for gold, made in plans) / count
    distances = [_edit_distance(_tools(gold), _tools(made)) for gold, made in plans]
    found["mnms_tool_normalized_edit_distance"] = sum(distances) / count
    return found


def _tools(lines: Sequence[CodeLine]) -> list[str]:
    return [line.tool for line in lines]


def _names(lines: Sequence[CodeLine]) -> list[str]:
    return ["--".join((line.tool, *sorted(line.arguments))) for line in lines]


def _values(lines: Sequence[CodeLine]) -> list[str]:
    return ["--".join((line.tool, *(f"{k}={v.lower()}" for k, v in sorted(line.arguments.items())))) for line in lines]


def _edges(lines: Sequence[CodeLine]) -> list[str]:
    return [f"{left.tool}--{right.tool}" for left, right in pairwise(lines)]


def _f1(gold: Sequence[CodeLine], made: Sequence[CodeLine]) -> float:
    both = (set(_tools(gold)), set(_tools(made)))
    return round(pooled([both])[2], 4) if any(both) else 0.0


def _edit_distance(gold: Sequence[str], made: Sequence[str]) -> float:
    """One minus the similarity of two lists of tools: twice their longest common subsequence over both lengths.

    That is ``1 - Levenshtein.ratio``, in which a replacement costs as much as a deletion and an insertion. As in the
    authors' code, all tools that there are not are one and the same.
    """
    left, right = ([name if name in TOOLS else "" for name in names] for names in (gold, made))
    if not left and not right:
        return 0.0
    row = [0] * (len(right) + 1)
    for name in left:
        diagonal = 0
        for place, other in enumerate(right, start=1):
            above = row[place]
            row[place] = diagonal + 1 if name == other else max(above, row[place - 1])
            diagonal = above
    return 1.0 - 2 * row[-1] / (len(left) + len(right))


def _read_line(line: str) -> CodeLine | None:
    if "=" not in line:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a student's string is not our warning
            tree = ast.parse(line)
        assignment = next((node for node in ast.walk(tree) if isinstance(node, ast.Assign)), None)
        if assignment is None or not isinstance(assignment.targets[0], ast.Name):
            return None
        call = assignment.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        return CodeLine(call.func.id, {one.arg or "**": ast.unparse(one.value) for one in call.keywords})
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _json_nodes(text: str) -> list[Mapping[str, Any]] | None:
    """The nodes of a text that is JSON as a whole; None if it is not, an empty list if the nodes are not sound."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    nodes = value.get("nodes") if isinstance(value, dict) else value
    if not isinstance(nodes, list):
        return None
    sound = all(isinstance(node, dict) and {"id", "name", "args"} <= node.keys() for node in nodes)
    return nodes if sound and all(isinstance(node["args"], dict) for node in nodes) else []


def _written(value: Any) -> str:
    if not isinstance(value, str):
        return f'"{value}"'
    if value.startswith("<node-") and " " not in value and (whole := _WHOLE_NODE.fullmatch(value)):
        return f"output{whole[1]}['{whole[2]}']" if whole[2] else f"output{whole[1]}"
    text = _NODE.sub(lambda match: f"output{match[1]}['{match[2]}']", value).replace('"', '\\"')
    return f'f"{text}"' if "<node-" in value else f'"{text}"'
