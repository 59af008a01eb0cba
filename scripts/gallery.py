"""Prints a Markdown table with one example of each subskill of a procedural task.

python scripts/gallery.py tasks.math.ProceduralMathTask
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tasks.base import ProceduralTask


def gallery(task: ProceduralTask) -> str:
    """The table; the same task always gives the same examples."""
    lines = ["| skill | subskill | question | answer |", "|---|---|---|---|"]
    for skill, subskill in task.subskill_pairs():
        record = task.record(skill, subskill, random.Random(f"gallery/{skill}/{subskill}"))
        lines.append(f"| {skill} | {subskill} | {_cell(record.instruction)} | {_cell(record.answer)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text as one table cell in which Markdown changes nothing."""
    return "`" + " ".join(text.split()).replace("|", "\\|") + "`"


def main(words: list[str] | None = None) -> None:
    """Prints the gallery of the task that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", default="tasks.math.ProceduralMathTask", help="class of the task")
    module, _, name = parser.parse_args(words).task.rpartition(".")
    print(gallery(getattr(importlib.import_module(module), name)()))


if __name__ == "__main__":
    main()
