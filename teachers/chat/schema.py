"""Replies as data: the schema that is sent, and the reading of what comes back."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ValidationError

from teachers.chat.types import Reply

# Parts of JSON schema that strict structured outputs do not know. What they say is still checked, on the reply.
_UNKNOWN_TO_ENDPOINTS = frozenset({"title", "default", "examples", "minLength", "maxLength", "uniqueItems"})

# Making a schema takes as long as sending it. Weak, because askers may make a class for each question.
_SCHEMAS: WeakKeyDictionary[type[BaseModel], dict[str, Any]] = WeakKeyDictionary()

_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)

# Drafts that reasoning models put before an answer, in the marks of their chat templates: <think>, [THINK], ◁think▷,
# <seed:think>, <|begin_of_thought|>, <|START_THINKING|>; harmony's channels, also without their marks.
_DRAFT = r"think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis"
_OPENED = re.compile(rf"[<◁]\|?(?:seed:|begin_of_|start_)?(?:{_DRAFT})\|?[>▷]|\[THINK\]", re.IGNORECASE)
_CLOSED = re.compile(rf"[<◁]\|?(?:/(?:seed:)?|end_of_|end_)(?:{_DRAFT})\|?[>▷]|\[/THINK\]", re.IGNORECASE)
_WHOLE = re.compile(rf"(?:{_OPENED.pattern}).*?(?:{_CLOSED.pattern})", re.DOTALL | re.IGNORECASE)
_FINAL = re.compile(
    r"<\|channel\|>\s*final\b[^<]*(?:<\|[^<|]*\|>[^<]*?)??<\|message\|>|\Aanalysis.*?assistantfinal", re.DOTALL
)

_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|["\\/bfnrt])|\\')

# Prose before an object may hold braces too; more starts than this are not tried.
_MOST_STARTS = 32
_MOST_ERRORS = 6
_LONGEST_ERROR = 300


class ReplyError(ValueError):
    """A reply does not fit its schema; the message says why, in words for the model that wrote it."""


def strict_schema(model: type[Reply]) -> dict[str, Any]:
    """A model's JSON schema as strict structured outputs want it: objects closed, all their properties required.

    Defaults and the constraints that endpoints refuse are left out; ``$ref`` stands alone.
    """
    if model not in _SCHEMAS:
        _SCHEMAS[model] = _strict(model.model_json_schema())
    return _SCHEMAS[model]


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(value) for value in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    strict: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):  # names of the user's own, which may be words of JSON schema
            strict[key] = {name: _strict(part) for name, part in value.items()}
        elif key in ("enum", "const"):
            strict[key] = value
        elif key == "oneOf":
            strict["anyOf"] = _strict(value)
        elif key not in _UNKNOWN_TO_ENDPOINTS and key != "discriminator":
            strict[key] = _strict(value)
    if "properties" in strict:
        strict["additionalProperties"] = False
        strict["required"] = list(strict["properties"])
    return strict


def is_strict(schema: Any) -> bool:
    """Whether a schema can be sent as strict: it has no object whose keys are open, and no tuple."""
    if isinstance(schema, list):
        return all(is_strict(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    if (schema.get("type") == "object" and "properties" not in schema) or "prefixItems" in schema:
        return False
    return all(is_strict(part) for part in schema.values())


def clean(value: Any) -> Any:
    """The same text, or texts in lists and mappings, without halves of surrogate pairs, which no file can hold."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [clean(part) for part in value]
    if isinstance(value, dict):
        return {clean(key): clean(part) for key, part in value.items()}
    return value


def parse_reply(text: str, model: type[Reply]) -> Reply:
    r"""Reads a reply, ignoring code fences and prose around the object.

    Escapes that JSON does not know (``\s``, ``\(``: LaTeX that was not escaped) are read as a backslash. Those that it
    knows and that swallowed a backslash of LaTeX (``\frac``) are not guessed at here.
    """
    error: ReplyError | None = None
    for candidate in _objects(answer_part(text)):
        try:
            return model.model_validate(candidate)
        except ValidationError as invalid:
            error = error or ReplyError(_words(invalid))
    raise error or ReplyError("there is no complete JSON object in it")


def instructions(schema: Mapping[str, Any]) -> str:
    """What a prompt says of the schema where the endpoint is not sent it, or ignores it."""
    return (
        "\n\nReply with one JSON object and nothing else. It must fit this JSON schema:\n"
        f"{json.dumps(dict(schema), ensure_ascii=False)}"
    )


def answer_part(text: str) -> str:
    """A reply without the drafts of a reasoning model; a draft that is never closed hides all that follows it."""
    try:
        json.loads(text, strict=False)
        return text  # marks inside its strings are none
    except (ValueError, RecursionError):
        pass
    if (parts := _FINAL.split(text))[1:] or "<|channel|>" in text:
        text = parts[-1] if parts[1:] else ""
    *_, text = _CLOSED.split(_WHOLE.sub("", text))
    return _OPENED.split(text)[0]


def fits(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether a reply holds an object of the form of its schema; what the object says may be wrong all the same."""
    return any(_matches(value, schema, schema.get("$defs", {})) for value in _objects(answer_part(text)))


_TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
}


def _matches(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    if "$ref" in schema:
        return _matches(value, defs[schema["$ref"].rsplit("/", 1)[-1]], defs)
    if "anyOf" in schema:
        return any(_matches(value, option, defs) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kind = schema.get("type")
    if kind == "object":
        parts = schema.get("properties", {})
        return (
            isinstance(value, dict)
            and value.keys() >= set(schema.get("required", ()))
            and all(_matches(each, parts[name], defs) for name, each in value.items() if name in parts)
        )
    if kind == "array" and isinstance(value, list):
        return all(_matches(each, schema.get("items", {}), defs) for each in value)
    return kind not in _TYPES or isinstance(value, _TYPES[kind])


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects that a reply may mean, likeliest first; never a part of a larger one."""
    for source in (text, *_FENCED.findall(text)):
        for form in (source.strip(), _mend(source.strip())):
            try:
                yield clean(_DECODER.decode(form))
                return
            except (ValueError, RecursionError):
                continue
    mended = _mend(text)
    tried = start = 0
    while tried < _MOST_STARTS and (start := mended.find("{", start)) >= 0:
        tried += 1
        try:
            found, start = _DECODER.raw_decode(mended, start)
            yield clean(found)
        except json.JSONDecodeError as error:
            # What stands before the fault is inside what was begun: an item of a list that was cut off, say.
            start = max(error.pos, start + 1)
        except (ValueError, RecursionError):
            return


def _mend(source: str) -> str:
    return _ESCAPE.sub(lambda match: match.group(0) if match.group(1) else "\\\\", source)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Not strict about line breaks inside strings, which models write; NaN and Infinity would slip into files.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)


def _words(invalid: ValidationError) -> str:
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    parts = []
    for error in errors[:_MOST_ERRORS]:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
        what = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        parts.append((f"{place}: {what}" if place else what)[:_LONGEST_ERROR])
    if len(errors) > _MOST_ERRORS:
        parts.append(f"and {len(errors) - _MOST_ERRORS} more")
    return clean("; ".join(parts))  # type: ignore[no-any-return]
