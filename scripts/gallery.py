"""Prints a Markdown table with one example of each subskill of a procedural task.

python scripts/gallery.py tasks.math.ProceduralMathTask
"""

import argparse
import importlib
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tasks.base import ProceduralTask
from tasks.markdown import markdown_table


def gallery(task: ProceduralTask) -> str:
    """The table; the same task always gives the same examples."""
    rows = []
    for skill, subskill in task.subskill_pairs():
        record = task.record(skill, subskill, random.Random(f"gallery/{skill}/{subskill}"))
        texts = (" ".join(text.split()) for text in (record.instruction, record.answer))
        rows.append([skill, subskill, *(f"`{text}`" for text in texts)])  # as code, in which Markdown changes nothing
    return "\n".join(markdown_table(("skill", "subskill", "question", "answer"), rows))


def main(words: list[str] | None = None) -> None:
    """Prints the gallery of the task that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", default="tasks.math.ProceduralMathTask", help="class of the task")
    module, _, name = parser.parse_args(words).task.rpartition(".")
    print(gallery(getattr(importlib.import_module(module), name)()))


if __name__ == "__main__":
    main()
