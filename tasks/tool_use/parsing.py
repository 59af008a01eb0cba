"""From a reply to a plan: code read with ``ast``, or the benchmark's JSON nodes, with prose and code fences around."""

import ast
import html
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tasks.replies import without_reasoning
from tasks.tool_use.plans import Call, Mixed, Plan, Reference, Value, make_call
from tasks.tool_use.reading import CodeReader
from tasks.tool_use.tools import TOOLS

# A plan of the benchmark has at most a few hundred characters; what stands beyond this in a reply is not read.
MAX_CHARACTERS = 20_000
# Lines that one statement may span, and places at which JSON is looked for.
_MAX_LINES, _MAX_JSON_STARTS = 40, 40

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n`]*\n(.*?)(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE_FENCE = re.compile(r"```(?:python|json)?(.+?)```")
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_BULLET = re.compile(r"^(\s*)(?:[-*•>]|\d+[.)]|>>>|\*{0,2}(?:Step|ACTION)\s*\d+\s*[:.)]\*{0,2})\s+(?=\S)")
_END_TOKENS = re.compile(r"(?:(?:<\|\w{1,40}\|>|</s>|<eos>|<end_of_turn>)\s*)+\Z")
# Other white space, and characters without width, mean nothing in code; repr() writes them as escapes.
_SPACES = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u202f\u3000", " ")
    | dict.fromkeys("\r\x0b\x85\u2028\u2029", "\n")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff")
)
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\uff02", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\uff07", "'")
    | {chr(ord(mark) + 0xFEE0): mark for mark in "()[]{}=,:"}  # the wide forms
)
_NODE = re.compile(r"<node-(\d+)>(?:\.(\w+))?")
_OPENING = re.compile(r"[\[{]")
_NAME_KEYS = ("name", "tool", "tool_name")
_ARGUMENT_KEYS = ("args", "arguments", "parameters", "tool_args")
_LIST_KEYS = ("nodes", "plan", "calls")


def parse_plan(text: str) -> Plan:
    """The plan in a reply; an empty plan if there is none. Never raises on any text.

    Reasoning before ``</think>`` is passed over. Code fences win over the prose around them, and a fence that writes
    the plan of an earlier one again replaces it. A reply whose fences hold no plan, or that has none, is read whole: as
    JSON nodes if there are any, else as code, and if it is not code as a whole, statement by statement.
    """
    return read_plan(without_reasoning(text)[:MAX_CHARACTERS])


@lru_cache(maxsize=2_048)  # of texts that were cut, so that long replies do not stay in memory
def read_plan(text: str) -> Plan:
    """The plan in a text of bounded length, as ``parse_plan`` reads it."""
    for candidate in _candidates(_END_TOKENS.sub("", text.replace("\r\n", "\n"))):
        if (plan := _parse_json(candidate) or _parse_code(candidate) or _parse_json(_straight(candidate))) is not None:
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
        if isinstance(given, str):  # as chat endpoints write the arguments of a tool call
            given = json.loads(given)
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
        yield "\n".join(_last_version(fenced))
    yield text
    yield "\n".join(_INLINE_CODE.findall(text))
    start = _OPENING.search(text)
    value = _value_at(text, start.start())[0] if start else None
    if isinstance(value, dict):  # {"plan": "output0 = ..."}
        yield "\n".join(part for part in value.values() if isinstance(part, str))


def _last_version(blocks: Sequence[str]) -> list[str]:
    """The blocks from the last one that writes the plan again: that assigns and calls what an earlier one did.

    A block that uses results of an earlier one goes on with its plan.
    """
    kept: list[str] = []
    names, tools = set[str](), set[str]()
    for block in blocks:
        tree = parse_python(_dedent(block))
        goes_on, assigned, called = False, set[str](), set[str]()
        for statement in tree.body if tree else ():
            for part in statement.body if isinstance(statement, ast.FunctionDef) else (statement,):
                used = [node for node in ast.walk(part) if isinstance(node, ast.Name)]
                goes_on |= any(isinstance(n.ctx, ast.Load) and n.id in names and n.id not in assigned for n in used)
                assigned |= {node.id for node in used if isinstance(node.ctx, ast.Store)}
                called |= {node.id for node in used if node.id in TOOLS}
        if not goes_on and assigned & names and called & tools:
            kept, names, tools = [], set(), set()
        kept.append(block)
        names, tools = names | assigned, tools | called
    return kept


def _parse_json(text: str) -> Plan | None:
    """The plan of the JSON in a text, if it holds nodes; nodes in separate objects are one plan, until ids repeat."""
    if not any(f'"{key}"' in text or f"'{key}'" in text for key in _NAME_KEYS):
        return None
    found: list[Any] = []
    position = 0
    for _ in range(_MAX_JSON_STARTS):
        if (start := _OPENING.search(text, position)) is None:
            break
        value, position = _value_at(text, start.start())
        nodes = _first(value, _LIST_KEYS) if isinstance(value, dict) else value
        nodes = [value] if _is_node(value) else nodes
        if isinstance(nodes, list) and nodes and all(map(_is_node, nodes)):
            again = {str(node["id"]) for node in nodes if "id" in node} & {str(node.get("id")) for node in found}
            found = [*([] if again else found), *nodes]
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
    text = text.translate(_SPACES)
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
    lines = [line for line in text.split("\n") if line.strip()]
    width = min((len(line) - len(line.lstrip(" \t")) for line in lines), default=0)
    return "\n".join(line[width:] for line in text.split("\n"))


def _statements(text: str) -> Iterator[ast.Module]:
    """The statements of a text that holds other things as well: each may span lines while a bracket is open."""
    lines = [_BULLET.sub(r"\1", line).strip().strip("`") for line in text.split("\n")]
    straight = [_straight(line) for line in lines]
    place = 0
    while place < len(lines):
        for end in _ends(straight, place):
            written, mended = "\n".join(lines[place:end]), "\n".join(straight[place:end])
            tree = parse_python(written) or (parse_python(mended) if mended != written else None)
            if tree is not None:
                yield tree
                place = end
                break
        else:
            place += 1


def _straight(text: str) -> str:
    """A text with plain quotes and brackets for typographic ones, without the escapes of markdown and HTML."""
    return html.unescape(text).translate(_TYPOGRAPHY).replace("\\_", "_")


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
