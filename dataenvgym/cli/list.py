"""``dataenvgym list [KIND]``: what there is by name, one line each."""

import re
from collections.abc import Sequence

from dataenvgym.catalogue import FRAGMENTS, KINDS, Entry, class_entries, entries
from dataenvgym.cli.parser import CommandParser

_USE = {
    **{kind: f"--config {kind}/NAME" for kind in FRAGMENTS},
    "policies": "--teacher.init_args.policy teachers.policies.NAME",
    "engines": "--teacher.init_args.engine teachers.engines.NAME",
}


def list_names(words: Sequence[str]) -> int:
    """Prints the names of one kind or of all."""
    parser = CommandParser(prog="dataenvgym list", description="What there is by name, and what it needs.")
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"one of {', '.join(KINDS)} (default: all)")
    kind = parser.parse_args(words).kind
    for each in [kind] if kind else KINDS:
        found = entries(each)
        print(f"{each}   ({_USE[each]})" if found else f"{each}\n  none yet")
        _show(found)
    if not kind or any(entry.needs for entry in found):
        print("\nkey: of a chat endpoint (OPENAI_API_KEY) · GPU · rows: from the hub or a folder of one's own")
    return 0


def list_classes(words: Sequence[str]) -> bool:
    """Prints the classes that ``--task.help`` and similar options ask for; returns whether the words end in one.

    The parser itself explains a class that follows (``--task.help tasks.x.XTask``).
    """
    asked = re.fullmatch(r"--(task|model|environment|teacher)\.help", words[-1])
    if asked is None:
        return False
    block = asked.group(1)
    for each in (block, "policy", "engine") if block == "teacher" else (block,):
        option = f"--{block}" if each == block else f"--{block}.init_args.{each}"
        print(f"{option} CLASS   ({option}.help CLASS explains one)")
        _show(class_entries(each))
    return True


def _show(found: Sequence[Entry]) -> None:
    width = max((len(entry.name) for entry in found), default=0)
    for entry in found:
        print(f"  {entry.name:<{width}}  {entry.needs:<4}  {entry.said}")
