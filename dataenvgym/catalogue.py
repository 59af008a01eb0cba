"""What there is, by name: the shipped configurations, which travel inside the wheel, and the classes of teachers."""

import importlib
import inspect
import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tasks.errors import ConfigurationError, MissingFileError

FRAGMENTS = ("tasks", "students", "environments", "skills", "teachers", "illustrators", "challenges")
CLASSES = {"policies": "Policy", "engines": "Engine"}  # by package of teachers, the base class
KINDS = (*FRAGMENTS, *CLASSES)

_HERE = Path(__file__).parent
# The wheel holds the folder within this package; a checkout, and an editable install of it, beside it.
FOLDER = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"


@dataclass(frozen=True)
class Entry:
    """One thing that can be named, with what it is in one sentence (``said``).

    ``needs`` lists what a beginner may not have: ``key``, ``GPU``, ``rows`` (of the hub or of a folder).
    """

    name: str
    needs: str
    said: str


def shipped(name: str) -> Path | None:
    """The shipped file of a name (``tasks/NAME``), with or without ``configs/`` and ``.yaml``."""
    path = FOLDER / f"{name.removeprefix('configs/').removesuffix('.yaml')}.yaml"
    return path if path.is_file() and path.resolve().is_relative_to(FOLDER.resolve()) else None


def find(name: str, kind: str = "") -> Path:
    """The file of a configuration: a path from the present folder, else a shipped one.

    With a kind, one of FRAGMENTS, the last part of a name suffices.
    """
    if Path(name).is_file():
        return Path(name)
    found = shipped(f"{kind}/{name}") or shipped(name)
    if found is None:
        known = ["quickstart", *(f"{each}/{one}" for each in FRAGMENTS for one in names(each))]
        raise MissingFileError(f"There is no configuration {name!r}; give a YAML file or one of {', '.join(known)}.")
    return found


def names(kind: str) -> list[str]:
    """All names of a kind."""
    if kind in FRAGMENTS:
        return sorted(path.stem for path in (FOLDER / kind).glob("*.yaml"))
    if kind in CLASSES:
        return sorted(found.__name__ for found in _classes(kind))
    if kind not in KINDS:
        raise ConfigurationError(f"There is no kind {kind!r} of names; the kinds are {', '.join(KINDS)}.")
    return []


def entries(kind: str) -> list[Entry]:
    """All that there is of a kind."""
    if kind not in CLASSES:
        return [_fragment(FOLDER / kind / f"{name}.yaml") for name in names(kind)]
    found = sorted(_classes(kind), key=lambda each: each.__name__)
    return [Entry(each.__name__, _needs_of(each), _first_sentence(inspect.getdoc(each) or "")) for each in found]


def class_entries(block: str) -> list[Entry]:
    """The shipped classes that ``task``, ``model``, ``environment``, ``teacher``, ``policy`` or ``engine`` can name."""
    kind = {"model": "students", "policy": "policies", "engine": "engines"}.get(block, f"{block}s")
    if kind in CLASSES:
        return [replace(entry, name=f"teachers.{kind}.{entry.name}") for entry in entries(kind)]
    blocks = [yaml.safe_load(path.read_text(encoding="utf-8"))[block] for path in (FOLDER / kind).glob("*.yaml")]
    found = {path: _class(path) for path in sorted({each["class_path"] for each in blocks})}
    return [Entry(path, _needs_of(made), _first_sentence(inspect.getdoc(made) or "")) for path, made in found.items()]


def _class(path: str) -> type:
    module, _, name = path.rpartition(".")
    made: type = getattr(importlib.import_module(module), name)
    return made


def _classes(kind: str) -> list[type]:
    package = importlib.import_module(f"teachers.{kind}")
    base = getattr(importlib.import_module("teachers"), CLASSES[kind])
    found = [getattr(package, name) for name in package.__all__]
    return [each for each in found if issubclass(each, base) and not inspect.isabstract(each)]


def _fragment(path: Path) -> Entry:
    text = path.read_text(encoding="utf-8")
    blocks = yaml.safe_load(text)
    needs = ""
    if (blocks.get("trainer") or {}).get("accelerator") == "gpu":
        needs = "GPU"
    elif ((blocks.get("teacher") or {}).get("init_args") or {}).get("chat"):
        needs = "key"
    elif "task" in blocks:
        needs = _needs_of(_class(blocks["task"]["class_path"]))
    elif "DiscoveredSkills" in text or "OpenAIImages" in text:
        needs = "key"
    elif "Diffusers" in text:
        needs = "GPU"
    return Entry(path.stem, needs, _first_sentence(head_comment(text)))


def head_comment(text: str) -> str:
    """The comment at the head of a configuration, on one line."""
    head = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    return " ".join(line.removeprefix("#").strip() for line in head)


def _needs_of(made: type) -> str:
    if "LLM" in made.__name__:  # others take a chat model to pass it on
        return "key"
    return "rows" if "path" in inspect.signature(made).parameters else ""


def _first_sentence(text: str) -> str:
    return text.replace("\n", " ").partition(". ")[0].rstrip(".")
